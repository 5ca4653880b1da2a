import { axe, check, close, open, same, test, why } from './kit.mjs';

const json = (definition) => JSON.stringify(definition);
const task = (resource, more = {}) => ({ Type: 'Task', Resource: resource, Weight: 1, End: true, ...more });
const status = (page, word) => page.locator('.card .top .word', { hasText: new RegExp(`^${word}$`) }).waitFor();

async function begin(server, name, definition, input = {}) {
  await server.deploy(name, json(definition), 'application/json');
  return (await server.ask('POST', 'executions', { workflow: name, input })).id;
}

test('what waits before it tries again is tried at once', async ({ server, browser }) => {
  const retry = [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 900, MaxAttempts: 1 }];
  const id = await begin(server, 'patient', { StartAt: 'one', States: { one: task('wants_good', { Retry: retry }) } });
  const page = await open(browser, `${server.url}/executions/${id}`);
  await page.locator('.card .waiting', { hasText: 'the next attempt' }).waitFor();
  check((await page.locator('section[aria-label="Why it waits"]').innerText()).includes('Tests.NotGood'), 'why it waits names the last error');
  await page.getByRole('button', { name: 'Try now…' }).click();
  const dialog = page.getByRole('dialog');
  await axe(page, 'the dialog that tries now');
  await dialog.getByRole('button', { name: 'Try now' }).click();
  await status(page, 'Failed');
  const { items } = await server.ask('GET', `executions/${id}/events?type=JobStarted`);
  same(items.length, 2, 'attempts');
  await close(page);
});

test('a retry sets values of the input, as the command line does', async ({ server, browser }) => {
  const id = await begin(server, 'mend', { StartAt: 'one', States: { one: task('wants_good') } }, { a: { b: ['bad'] } });
  await server.ended(id);
  const page = await open(browser, `${server.url}/executions/${id}`);
  await page.locator('[data-action=retry][aria-disabled=false]').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Set values in its input').click();
  await dialog.getByRole('button', { name: 'Add a value' }).click();
  same(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Path 1', 'the focus');
  await page.keyboard.type('a.x[0].y');
  await page.keyboard.press('Tab');
  await page.keyboard.type('1');
  await dialog.getByLabel('Reason').focus();
  await dialog.getByRole('alert').waitFor();
  check(await dialog.locator('button.main').isDisabled(), 'what would be refused cannot be tried');
  await dialog.getByLabel('Path 1').fill('a.b[0]');
  await dialog.getByLabel('Value 1, as JSON or text').fill('good');
  await dialog.getByRole('button', { name: 'Add a value' }).click();
  await dialog.getByLabel('Path 2').fill('$.count');
  await dialog.getByLabel('Value 2, as JSON or text').fill('7');
  await dialog.getByLabel('Reason').focus();
  await dialog.getByRole('alert').waitFor({ state: 'detached' });
  await axe(page, 'the dialog with values');
  await dialog.locator('button.main').click();
  await status(page, 'Completed');
  const { items } = await server.ask('GET', `executions/${id}/events?type=ExecutionRedriven`);
  same(items[0].data.input, { a: { b: ['good'] }, count: 7 }, 'the input of the step that ran again');
  await close(page, (said) => said.includes('422') || said.includes('409') || said.includes('400'));
});

test('what does not stop can be forced to end, and not too early', async ({ server, browser }) => {
  const id = await begin(server, 'stubborn', {
    StartAt: 'work', OnCancel: 'tidy', CleanupTimeoutSeconds: 600,
    States: { work: task('hangs'), tidy: { Type: 'Task', Resource: 'hangs', End: true } },
  });
  const page = await open(browser, `${server.url}/executions/${id}`);
  await server.until(id, (card) => card.active_sub_jobs.length > 0, 'at work');
  await page.locator('[data-action=cancel][aria-disabled=false]').click();
  const dialog = page.getByRole('dialog');
  await dialog.locator('button.main').click();
  await status(page, 'Cancelling');
  await page.locator('.card .note', { hasText: 'can be forced from' }).waitFor();
  const force = page.getByRole('button', { name: 'Force the end…' });
  await force.click();
  await dialog.getByRole('alert').filter({ hasText: 'FORCE_TOO_EARLY' }).waitFor();
  check(await dialog.locator('button.main').isDisabled(), 'too early');
  await axe(page, 'the dialog that refuses');
  await page.keyboard.press('Escape');
  const { cancel } = await server.card(id);
  await page.waitForTimeout(Math.max(0, Date.parse(cancel.force_from) - Date.now()) + 200);
  await force.click();
  await dialog.getByText('abandons what still runs').waitFor();
  await dialog.getByLabel('Reason').fill('waited long enough');
  await dialog.locator('button.main:enabled').click();
  await status(page, 'Cancelled');
  await page.locator('.card .note', { hasText: 'Forced to end' }).waitFor();
  check((await page.locator('.card').innerText()).includes('waited long enough') || (await page.locator('li[data-sequence]').allInnerTexts()).some((text) => text.includes('waited long enough')), 'the reason is told');
  await close(page, (said) => said.includes('409'));
});

test('a worker is drained from the page, and is gone then', async ({ server, browser }) => {
  const worker = server.worker('helper-one');
  try {
    const page = await open(browser, `${server.url}/workers`);
    const row = page.getByRole('row', { name: /helper-one/ });
    await row.waitFor();
    check((await row.innerText()).includes('elsewhere'), 'what it takes');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('helper');
    await page.getByRole('option', { name: 'helper-one' }).waitFor();
    await page.keyboard.press('Enter');
    await page.locator('tr.named', { hasText: 'helper-one' }).waitFor();
    await row.getByRole('button', { name: 'Drain helper-one' }).click();
    await worker.over;
    await row.filter({ hasNot: page.getByRole('button') }).or(page.getByText('No worker')).first().waitFor();
    await close(page);
  } finally {
    worker.kill();
  }
});

test('pause and resume, rerun and delete, each from the page', async ({ server, browser }) => {
  const id = await begin(server, 'pausable', { StartAt: 'wait', States: { wait: { Type: 'Wait', Weight: 1, Seconds: 600, End: true } } });
  const page = await open(browser, `${server.url}/executions/${id}`);
  const dialog = page.getByRole('dialog');
  const act = async (name) => {
    await page.locator(`[data-action=${name}][aria-disabled=false]`).click();
    await dialog.locator('button.main:enabled').click();
  };
  await act('pause');
  await status(page, 'Paused');
  await act('resume');
  await status(page, 'Running');
  check((await why(page, 'delete')).length > 5, 'what is under way cannot be deleted, and that is said');
  await act('cancel');
  await status(page, 'Cancelled');
  await act('rerun');
  await page.waitForURL((url) => !url.pathname.endsWith(id));
  const again = page.url();
  await status(page, 'Running');
  check(await page.getByRole('link', { name: 'rerun of another' }).isVisible(), 'it says what it repeats');
  await act('cancel');
  await status(page, 'Cancelled');
  await act('delete');
  await page.waitForURL((url) => url.pathname === '/executions');
  await page.goto(again);
  await page.getByRole('alert').filter({ hasText: 'deleted' }).waitFor();
  await page.goto(`${server.url}/executions/${id}`);
  await status(page, 'Cancelled');
  await close(page, (said) => said.includes('410') || said.includes('404'));
});
