import { axe, check, close, open, same, test } from './kit.mjs';

test('the palette leads to executions, workflows, views and what can be done, by keys alone', async ({ server, browser }) => {
  const id = await server.import(2, {});
  await server.ended(id);
  const { handle } = await server.card(id);
  const page = await open(browser, `${server.url}/executions/${id}`);
  await page.locator('.card').waitFor();
  const palette = page.getByRole('dialog', { name: 'Go to, or do' });
  const field = page.getByRole('combobox', { name: 'Go to, or do' });
  const call = async (text) => {
    await page.keyboard.press('Control+k');
    await field.waitFor();
    await page.keyboard.type(text);
  };
  // What it found is not all there before the server has answered.
  const settled = () => page.locator('#palette[aria-busy=false]').waitFor();
  const first = () => page.locator('#palette [aria-selected=true]').innerText();

  await page.keyboard.press('Control+k');
  await page.getByRole('option', { name: 'Timeline' }).waitFor();
  await settled();
  await axe(page, 'the palette');
  const options = await page.getByRole('option').allInnerTexts();
  check(options.some((text) => text.startsWith('Rerun')), `what can be done is offered: ${options}`);
  check(!options.some((text) => text.startsWith('Pause') || text.startsWith('Cancel')), 'what cannot be done is not');
  const marked = await field.getAttribute('aria-activedescendant');
  await page.keyboard.press('ArrowDown');
  check((await field.getAttribute('aria-activedescendant')) !== marked, 'an arrow goes on');
  await page.keyboard.press('ArrowUp');
  same(await field.getAttribute('aria-activedescendant'), marked, 'and back');
  await page.keyboard.press('ArrowUp');
  same(await field.getAttribute('aria-activedescendant'), `palette-${options.length - 1}`, 'before the first is the last');
  await page.keyboard.press('Escape');
  await palette.waitFor({ state: 'hidden' });

  await call('timel');
  same(await first(), 'Timeline', 'the first');
  await page.keyboard.press('Enter');
  await page.waitForURL(/timeline$/);
  await call('hostile');
  await settled();
  await page.keyboard.press('Enter');
  await page.waitForURL(/workflows\/hostile$/);
  await call(handle);
  await page.getByRole('option', { name: new RegExp(handle) }).waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.pathname === `/executions/${id}`);
  // What can be done is offered once the execution is there.
  await page.locator('.actions [data-action=rerun]').waitFor();
  await call('rerun');
  same((await first()).startsWith('Rerun'), true, 'what can be done comes first');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').getByText('A new execution of import begins').waitFor();
  await page.keyboard.press('Escape');
  await call(id);
  await page.getByRole('option', { name: new RegExp(handle) }).waitFor();
  await page.keyboard.press('Escape');
  await call('zzzzz');
  await palette.getByText('Nothing is called “zzzzz”').waitFor();
  await close(page);
});

test('the palette opens where something is written, and single keys being off does not take it away', async ({ server, browser }) => {
  const page = await open(browser, `${server.url}/executions`);
  await page.keyboard.press('?');
  await page.getByLabel('Single keys do something').uncheck();
  await page.keyboard.press('Escape');
  await page.getByRole('searchbox').focus();
  await page.keyboard.press('Meta+k');
  await page.getByRole('combobox', { name: 'Go to, or do' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('heading', { name: 'Executions' }).click();
  await page.keyboard.press('g');
  await page.keyboard.press('w');
  same(new URL(page.url()).pathname, '/executions', 'single keys are off');
  await close(page);
});

test('a search looks at all events, also those that are not loaded, and leads to what it found', async ({ server, browser }) => {
  const one = { StartAt: 'one', States: { one: { Type: 'Pass', End: true } } };
  const definition = { StartAt: 'needle', QueryLanguage: 'JSONata', States: { needle: { Type: 'Pass', Weight: 1, Next: 'all' }, all: { Type: 'Map', Weight: 1, End: true, Items: '{% [1..500] %}', ItemProcessor: one } } };
  await server.deploy('hay', JSON.stringify(definition), 'application/json');
  const { id } = await server.ask('POST', 'executions', { workflow: 'hay', input: {} });
  const { sequence: last } = await server.ended(id);
  check(last > 1500, `only ${last} events`);
  const page = await open(browser, `${server.url}/executions/${id}`);
  await page.locator(`li[data-sequence="${last}"]`).waitFor();
  same(await page.locator('li[data-sequence="2"]').count(), 0, 'the first are not loaded');
  await page.keyboard.press('/');
  await page.keyboard.type('NEEDLE');
  await page.getByText(/^\d+ events found$/).waitFor();
  check(page.url().includes('q=NEEDLE'), 'the search is in the address');
  const found = await page.locator('li[data-sequence]').evaluateAll((rows) => rows.map((row) => [Number(row.dataset.sequence), row.innerText]));
  check(found.length >= 2 && found.every(([sequence, text]) => sequence < 10 && text.length), `found ${JSON.stringify(found)}`);
  await axe(page, 'what a search found');
  const [hit] = found.at(-1);
  await page.getByRole('button', { name: `event ${hit} among its neighbours` }).focus();
  await page.keyboard.press('Enter');
  await page.locator(`li[data-sequence="${hit + 5}"]`).waitFor();
  same(await page.evaluate(() => document.activeElement.closest('li')?.dataset.sequence), String(hit), 'the focus is at the hit');
  check(!page.url().includes('q='), 'the search is over');
  await page.goto(`${server.url}/executions/${id}?q=nothing+of+the+kind`);
  await page.getByText('No event has “nothing of the kind”').waitFor();
  await close(page);
});
