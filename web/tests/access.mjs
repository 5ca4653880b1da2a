import { axe, check, close, open, reflows, same, test } from './kit.mjs';

async function views(server) {
  const id = await server.import(6);
  await server.ended(id);
  const failed = (await server.ask('POST', 'executions', { workflow: 'hostile' })).id;
  await server.ended(failed);
  return {
    executions: '/executions', empty: '/executions?q=zzzzzz', execution: `/executions/${id}`, failed: `/executions/${failed}`, past: `/executions/${id}?at=9`,
    graph: `/executions/${id}/graph`, timeline: `/executions/${id}/timeline`, data: `/executions/${id}/data`, compare: `/compare?left=${id}&right=${failed}`,
    workflows: '/workflows', workflow: '/workflows/import', workers: '/workers', log: '/log', login: '/login',
  };
}

const settle = (page) => page.waitForFunction(() => document.querySelector('main h1') && !document.querySelector('main')?.innerText.includes('Asking the server'));

test('axe finds nothing in any view, light and dark', async ({ server, browser }) => {
  for (const colorScheme of ['light', 'dark']) {
    for (const [name, path] of Object.entries(await views(server))) {
      const page = await open(browser, server.url + path, { colorScheme });
      await settle(page);
      await page.waitForTimeout(150);
      await axe(page, `${name}, ${colorScheme}`);
      await close(page, (said) => said.includes('409'));
    }
  }
});

test('axe finds nothing in a dialog', async ({ server, browser }) => {
  const id = await server.import(1);
  await server.ended(id);
  const page = await open(browser, `${server.url}/executions/${id}`);
  await page.locator('[data-action=delete][aria-disabled=false]').click();
  await page.getByRole('dialog').getByText('cannot be undone').waitFor();
  await axe(page, 'the dialog');
  await close(page);
});

test('no view scrolls sideways at 320, 390 and 768 px', async ({ server, browser }) => {
  for (const [name, path] of Object.entries(await views(server))) {
    const page = await open(browser, server.url + path, { width: 320 });
    await settle(page);
    for (const width of [320, 390, 768]) {
      await page.setViewportSize({ width, height: 800 });
      await reflows(page, `${name} at ${width} px`);
    }
    await close(page, (said) => said.includes('409'));
  }
});

test('everything is done with the keyboard alone', async ({ server, browser }) => {
  const id = await server.import(60);
  const page = await open(browser, `${server.url}/executions`);
  await page.locator(`[data-row="${id}"]`).waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.locator('.card').waitFor();
  check(page.url().includes(id), 'Enter opens the row');
  await server.until(id, (card) => card.current_step > 1, 'at work');
  await page.keyboard.press(',');
  await page.locator('.scrubber.past').waitFor();
  await page.keyboard.press('l');
  await page.locator('.scrubber:not(.past)').waitFor();
  await page.locator('[data-action=cancel][aria-disabled=false]').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  same(await page.evaluate(() => document.activeElement?.dataset.action), 'cancel', 'focus comes back');
  await page.keyboard.press('c');
  await page.getByRole('dialog').waitFor();
  await page.getByRole('dialog').getByLabel('Reason').focus();
  await page.keyboard.press('Enter');
  await page.locator('.card .top .word', { hasText: 'Cancelled' }).waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('w');
  await page.getByRole('heading', { name: 'Workflows' }).waitFor();
  await close(page);
});

test('forced colours and reduced motion keep words and borders', async ({ server, browser }) => {
  const id = await server.import(1);
  await server.ended(id);
  const page = await open(browser, `${server.url}/executions/${id}`, { forcedColors: 'active', reducedMotion: 'reduce' });
  await settle(page);
  const seen = await page.evaluate(() => ({
    border: getComputedStyle(document.querySelector('.bar')).borderTopWidth,
    moves: getComputedStyle(document.querySelector('.moves')).transitionDuration,
    word: document.querySelector('.card .word').textContent,
  }));
  same(seen, { border: '1px', moves: '0s', word: 'Completed' }, 'what is seen');
  await close(page);
});
