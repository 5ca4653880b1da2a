import { check, close, open, same, test } from './kit.mjs';

const WORDS = { completed: 'Completed', running: 'Running', pending: 'Pending', skipped: 'Skipped', waiting: 'Waiting', failed: 'Failed', completed_with_errors: 'Completed with errors', cancelled: 'Cancelled', cancelling: 'Cancelling' };

// What the page shows of a card, field by field, as a reader finds it.
async function shown(page) {
  return page.evaluate(() => {
    const text = (of, where) => of.querySelector(where)?.textContent.trim() ?? '';
    const card = document.querySelector('.card');
    return {
      sequence: Number(card.dataset.sequence),
      status: text(card, '.top .word'),
      progress: text(card, '.top strong.percent'),
      message: text(card, '.top > .message'),
      steps: [...card.querySelectorAll('.step')].map((step) => ({
        name: step.dataset.step, title: text(step, '.name'), status: text(step, '.state .word'), progress: text(step, '.percent'),
        message: text(step, '.more > .message'), error: text(step, '.error span'), parts: text(step, '.parts .text').split(' ·')[0],
      })),
      jobs: [...card.querySelectorAll('.job')].map((job) => ({
        id: job.dataset.job, label: text(job, '.name'), progress: text(job, '.percent'), message: text(job, '.words .message'),
      })),
    };
  });
}

function told(card) {
  const line = (text) => (text ?? '').trim();
  return {
    sequence: card.sequence,
    status: WORDS[card.status],
    progress: `${card.progress} %`,
    message: line(card.message),
    steps: card.steps.map((step) => ({
      name: step.name, title: step.title, status: WORDS[step.status], progress: `${step.progress} %`, message: line(step.message), error: line(step.error?.cause),
      parts: step.parts ? `${step.parts_completed + step.parts_failed} of ${step.parts} ${step.parts === 1 ? 'part' : 'parts'} done` : '',
    })),
    jobs: card.active_sub_jobs.slice(0, 8).map((job) => ({ id: job.id, label: job.label ?? job.type, progress: `${job.progress} %`, message: line(job.message) })),
  };
}

test('the page at any past event is what everstep show --at prints', async ({ server, browser }) => {
  const id = await server.import(24);
  const { sequence: last } = await server.ended(id);
  const page = await open(browser, `${server.url}/executions/${id}`);
  const slider = page.getByRole('slider', { name: 'Event' });
  await slider.waitFor();
  for (const part of [0, 0.2, 0.4, 0.6, 0.85]) {
    const at = Math.max(1, Math.round(last * part));
    await slider.fill(String(at));
    await page.locator(`.card[data-sequence="${at}"]`).waitFor();
    check(page.url().includes(`at=${at}`), 'the moment is in the address');
    same(await shown(page), told(server.cli('show', id, '--at', String(at))), `event ${at}`);
    check((await page.title()).includes(told(server.cli('show', id, '--at', String(at))).status === 'Completed' ? '✓' : '◐'), `the title is of then, too: ${await page.title()}`);
    same(await slider.getAttribute('aria-valuetext').then((text) => text.startsWith(`event ${at} of ${last}`)), true, 'the slider says where it is');
    same(await page.locator('.actions [aria-disabled=false]').count(), 0, 'actions in the past');
  }
  await page.keyboard.press('.');
  await page.locator(`.card[data-sequence="${Math.round(last * 0.85) + 1}"]`).waitFor();
  await page.locator('.live').last().click();
  await page.locator(`.card[data-sequence="${last}"]`).waitFor();
  check(!page.url().includes('at='), 'live has no moment in the address');
  await close(page);
});

test('the log names executions by the handles that the server gives them', async ({ server, browser }) => {
  const id = await server.import(1);
  const { handle } = await server.ended(id);
  const page = await open(browser, `${server.url}/log`);
  const link = page.locator(`main a[href^="/executions/${id}"]`).first();
  await link.waitFor();
  check(handle.startsWith(await link.innerText()) && (await link.innerText()).length === 6, `${await link.innerText()} is no beginning of ${handle}`);
  await close(page);
});

test('step boundaries are reached by keys, and l leads back', async ({ server, browser }) => {
  const id = await server.import(4);
  const { sequence: last } = await server.ended(id);
  const page = await open(browser, `${server.url}/executions/${id}?at=1`);
  await page.locator('.card[data-sequence="1"]').waitFor();
  const bounds = (await server.ask('GET', `executions/${id}/events?type=StateEntered,StateExited&limit=3`)).items.map(({ sequence }) => sequence);
  for (const bound of bounds) {
    await page.keyboard.press('Shift+>');
    await page.locator(`.card[data-sequence="${bound}"]`).waitFor();
  }
  await page.keyboard.press('l');
  await page.locator(`.card[data-sequence="${last}"]`).waitFor();
  await close(page);
});
