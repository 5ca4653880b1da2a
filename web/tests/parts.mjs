// Parts of Maps, and executions that others began.
import { axe, check, close, open, reflows, same, settled, test } from './kit.mjs';

const item = (more = {}) => ({ StartAt: 'check', States: { check: { Type: 'Task', Resource: 'wants_good', Weight: 1, End: true, ...more } } });
const map = (processor) => JSON.stringify({
  StartAt: 'all', QueryLanguage: 'JSONata', JobTypes: { wants_good: { Label: 'Checking' } },
  States: { all: { Type: 'Map', Title: 'Check all', Weight: 1, End: true, ToleratedFailurePercentage: 100, MaxConcurrency: 4, Items: '{% ["good", "bad", "good"] %}', ItemProcessor: processor } },
});
async function begin(server, name, definition) {
  await server.deploy(name, definition, 'application/json');
  return (await server.ask('POST', 'executions', { workflow: name, input: {} })).id;
}

test('a job that is tried again says what went wrong, and parts that failed lead to their events', async ({ server, browser }) => {
  const retry = [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 900, MaxAttempts: 1 }];
  const id = await begin(server, 'parts-retried', map(item({ Retry: retry })));
  await server.until(id, (card) => card.active_sub_jobs.some(({ status }) => status === 'retrying') && card.steps[0].parts_completed === 2, 'trying again');
  const page = await open(browser, `${server.url}/executions/${id}`);
  const job = page.locator('.job', { hasText: 'Checking' }).filter({ hasText: 'Retrying' });
  await job.waitFor();
  const why = page.locator('section[aria-label="Why it waits"]');
  await why.filter({ hasText: 'Tests.NotGood: it is not good' }).waitFor();
  check((await page.locator('.parts').innerText()).startsWith('2 of 3 parts done'), await page.locator('.parts').innerText());
  await page.getByRole('button', { name: 'Try now…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Try now' }).click();
  await page.locator('.card .top .word', { hasText: 'Completed with errors' }).waitFor();
  await page.getByRole('link', { name: '1 failed' }).click();
  await page.getByText(/^\d+ events found$/).waitFor();
  const found = await page.locator('li[data-sequence]').allInnerTexts();
  check(found.some((text) => text.includes('FrameFailed') && text.includes('Tests.NotGood')), found.join('\n'));
  await close(page);
});

test('executions that a distributed Map began are listed, with a way there and back', async ({ server, browser }) => {
  const id = await begin(server, 'parts-far', map({ ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' }, ...item() }));
  await server.ended(id);
  const page = await open(browser, `${server.url}/executions/${id}`);
  await page.getByRole('link', { name: 'executions that it began' }).click();
  await page.locator('[data-row]').nth(2).waitFor();
  same(await page.locator('[data-row]').count(), 3, 'executions');
  check(page.url().includes(`parent=${id}`), 'whose they are is in the address');
  await page.getByRole('link', { name: /^Failed 1$/ }).click();
  const row = page.locator('[data-row]').filter({ hasText: 'Tests.NotGood' });
  await page.waitForURL(/status=failed/);
  await settled(page);
  same(await page.locator('[data-row]').count(), 1, 'those that failed');
  await axe(page, 'what an execution began');
  await row.getByRole('link').click();
  await page.getByRole('link', { name: 'begun by another' }).click();
  await page.waitForURL((url) => url.pathname === `/executions/${id}`);
  // They are parts, and not among what people started.
  await page.goto(`${server.url}/executions?workflow=parts-far`);
  await page.locator(`[data-row="${id}"]`).waitFor();
  same(await page.locator('[data-row]').count(), 1, 'what was started');
  await close(page);
});

test('a state of the graph leads to its events, a Map says how many parts are done, and all machines have one measure', async ({ server, browser }) => {
  const id = await server.import(12);
  await server.ended(id);
  const page = await open(browser, `${server.url}/executions/${id}/graph`);
  await settled(page);
  const node = page.getByRole('link', { name: /^Process files \d+ of \d+ parts? Completed/ });
  await node.waitFor();
  const heights = await page.locator('.node rect').evaluateAll((boxes) => [...new Set(boxes.map((box) => Math.round(box.getBoundingClientRect().height)))]);
  same(heights.length, 1, `heights of states: ${heights}`);
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    await axe(page, `a graph with links, ${scheme}`);
  }
  await node.focus();
  await page.keyboard.press('Enter');
  await page.getByText(/^\d+ events found$/).waitFor();
  check(page.url().includes('q=Process'), page.url());
  await close(page);
});

test('each attempt stands below the step that it works for', async ({ server, browser }) => {
  const id = await server.import(24);
  await server.ended(id);
  const page = await open(browser, `${server.url}/executions/${id}/timeline`);
  await page.locator('[data-bar]').first().waitFor();
  const names = await page.locator('.times li:not(.marks)').evaluateAll((rows) => rows.map((row) => row.querySelector('.text').textContent.replace(/ #.*/, '')));
  const runs = names.filter((name, place) => name !== names[place - 1]);
  same(runs, ['Validate files', 'Validation', 'Process files', 'Processing', 'Index data', 'Indexing', 'Clean up', 'Cleaning up'], 'rows');
  await close(page);
});

test('the list is filtered by time, all of it can be chosen, and what hides everything is named', async ({ server, browser }) => {
  const pass = JSON.stringify({ StartAt: 'one', States: { one: { Type: 'Pass', Weight: 1, End: true } } });
  for (const _ of [1, 2, 3]) await server.ended(await begin(server, 'listed', pass));
  const page = await open(browser, `${server.url}/executions?workflow=listed`);
  await page.locator('[data-row]').nth(2).waitFor();
  await page.getByLabel('Started').selectOption('1h');
  await page.waitForURL(/since=1h/);
  await settled(page);
  same(await page.locator('[data-row]').count(), 3, 'of the last hour');
  await page.getByLabel('Choose all that are shown').check();
  const bulk = page.getByRole('group', { name: 'What is chosen' });
  await bulk.getByText('3 chosen').waitFor();
  await bulk.getByText('3 cannot:').first().waitFor();
  await page.getByLabel(/^Choose listed/).first().uncheck();
  check(await page.getByLabel('Choose all that are shown').evaluate((box) => box.indeterminate), 'some of them are chosen');
  await bulk.getByRole('link', { name: 'Compare' }).waitFor();
  await page.getByRole('link', { name: /^Cancelled 0$/ }).click();
  await page.getByText('Nothing fits').waitFor();
  await axe(page, 'a list in which nothing fits');
  await page.setViewportSize({ width: 320, height: 800 });
  await reflows(page, 'a list in which nothing fits at 320 px');
  await page.getByRole('button', { name: 'Of any status (3), not only cancelled' }).click();
  await page.locator('[data-row]').nth(2).waitFor();
  check(!page.url().includes('status=') && page.url().includes('since=1h'), page.url());
  await close(page);
});

test('a long sentence of an event stands beside its state, and does not push it aside', async ({ server, browser }) => {
  const long = JSON.stringify({ StartAt: 'one', States: { one: { Type: 'Pass', Title: 'One', Weight: 1, Result: { words: 'many words '.repeat(60) }, End: true } } });
  const id = await begin(server, 'wordy', long);
  await server.ended(id);
  const page = await open(browser, `${server.url}/executions/${id}?q=many%20words`, { width: 1280 });
  const row = page.locator('li[data-sequence]', { hasText: 'many words' }).filter({ has: page.locator('.chip') }).first();
  await row.waitFor();
  const [chip, sentence] = [await row.locator('.chip').boundingBox(), await row.locator('.sentence').boundingBox()];
  check(Math.abs(chip.y - sentence.y) < 8 && sentence.x >= chip.x + chip.width, `chip at ${JSON.stringify(chip)}, sentence at ${JSON.stringify(sentence)}`);
  await close(page);
});

test('a value of an input can be found again: its path is copied', async ({ server, browser }) => {
  await server.deploy('paths', JSON.stringify({ StartAt: 'one', States: { one: { Type: 'Pass', Weight: 1, End: true } } }), 'application/json');
  const { id } = await server.ask('POST', 'executions', { workflow: 'paths', input: { a: { 'b c': [1, { d: 2 }] } } });
  await server.ended(id);
  const page = await open(browser, `${server.url}/executions/${id}/data`, { permissions: ['clipboard-read', 'clipboard-write'] });
  const input = page.getByRole('region', { name: 'Input' });
  await input.locator('summary', { hasText: 'b c' }).click();
  await input.locator('summary', { hasText: /^1/ }).click();
  await axe(page, 'a tree with paths');
  await input.getByRole('button', { name: 'Copy the path $.a["b c"][1].d' }).focus();
  await page.keyboard.press('Enter');
  await input.getByText('Copied').first().waitFor();
  same(await page.evaluate(() => navigator.clipboard.readText()), '$.a["b c"][1].d', 'the path');
  // And the form to start another one takes that input.
  await page.goto(`${server.url}/workflows/paths`);
  await page.getByRole('button', { name: 'Take the input of the last one' }).click();
  await page.waitForFunction(() => document.querySelector('textarea').value.includes('"b c"'));
  await close(page);
});
