import { check, close, open, same, test, why } from './kit.mjs';

const percent = (page) => page.locator('.card .top strong.percent').innerText().then((text) => parseInt(text, 10));
const status = (page) => page.locator('.card .top .word').innerText();

test('an import is seen live to its end, and its bar never falls', async ({ server, browser }) => {
  const id = await server.import(120);
  const page = await open(browser, `${server.url}/executions/${id}`);
  const seen = [];
  await page.locator('.card').waitFor();
  while ((await status(page)) !== 'Completed') {
    seen.push(await percent(page));
    await page.waitForTimeout(40);
    check(seen.length < 1500, 'it does not end');
  }
  seen.push(await percent(page));
  check(new Set(seen).size >= 4, `it moved only through ${[...new Set(seen)]}`);
  same(seen, [...seen].sort((a, b) => a - b), 'the percents in order');
  same(seen.at(-1), 100, 'the last percent');
  const card = await server.card(id);
  same(await page.locator('.card .step').count(), card.steps.length, 'steps');
  for (const step of card.steps) {
    const text = await page.locator('.card .step', { hasText: step.title }).first().innerText();
    check(text.includes(`${step.progress} %`), `${step.title}: ${text}`);
  }
  await close(page);
});

test('an execution is cancelled and retried from the page', async ({ server, browser }) => {
  const id = await server.import(240);
  const page = await open(browser, `${server.url}/executions/${id}`);
  await server.until(id, (card) => card.active_sub_jobs.length > 0 && card.current_step > 1, 'at work');
  await page.locator('[data-action=retry][aria-disabled=true]').waitFor();
  check((await why(page, 'retry')).length > 5, 'it says why it cannot be retried');
  await page.locator('[data-action=cancel]').click();
  const dialog = page.getByRole('dialog');
  check((await dialog.locator('button.main').innerText()).startsWith('Cancel '), 'the button says what happens');
  await dialog.getByLabel('Reason').fill('seen enough');
  await dialog.locator('button.main').click();
  await page.locator('.card .top .word', { hasText: 'Cancelled' }).waitFor();
  check((await page.locator('.card').innerText()).includes('seen enough'), 'the reason is shown');
  check((await percent(page)) < 100, 'a cancelled execution is not at 100 %');
  await page.locator('[data-action=retry][aria-disabled=false]').click();
  await dialog.locator('dt', { hasText: 'runs again' }).waitFor();
  check((await dialog.innerText()).includes('Validate files'), 'the plan says what is kept');
  await dialog.locator('button.main').click();
  await page.locator('.card .top .word', { hasText: 'Completed' }).waitFor({ timeout: 60_000 });
  await close(page);
});

test('the list changes where it is, and what is new waits', async ({ server, browser }) => {
  const first = await server.import(30);
  const page = await open(browser, `${server.url}/executions`);
  const row = page.locator(`[data-row="${first}"]`);
  await row.waitFor();
  const place = await row.boundingBox();
  const second = await server.import(3);
  await page.locator('.newer').waitFor();
  await server.ended(first);
  await row.locator('.word', { hasText: 'Completed' }).waitFor();
  const count = await page.locator('[data-row]').count();
  const moved = (await row.boundingBox()).y - place.y - (await page.locator('.newer').boundingBox()).height;
  check(Math.abs(moved) < 2, `the row moved by ${moved} px`);
  await page.locator('.newer').click();
  await page.locator(`[data-row="${second}"]`).waitFor();
  same(await page.locator('[data-row]').count(), count + 1, 'rows');
  await page.getByRole('link', { name: 'In flight' }).click();
  check(page.url().endsWith('?status=unfinished'), 'the filter is in the address');
  await close(page);
});

test('several are cancelled at once, and those that cannot be say why', async ({ server, browser }) => {
  const done = await server.import(1);
  await server.ended(done);
  const [one, other] = [await server.import(400), await server.import(400)];
  const page = await open(browser, `${server.url}/executions`);
  for (const id of [done, one, other]) await page.locator(`[data-row="${id}"] input`).check();
  const bulk = page.getByRole('group', { name: 'What is chosen' });
  await bulk.getByRole('button', { name: 'Cancel 2…' }).click();
  check((await bulk.innerText()).includes('1 cannot'), await bulk.innerText());
  await bulk.getByRole('button', { name: 'Cancel 2 executions' }).click();
  for (const id of [one, other]) same((await server.ended(id)).status, 'cancelled', id);
  await page.locator(`[data-row="${other}"] .word`, { hasText: 'Cancelled' }).waitFor();
  await close(page);
});

test('a server that is killed and comes back loses and doubles nothing on the page', async ({ server, browser }) => {
  const id = await server.import(100);
  const page = await open(browser, `${server.url}/executions/${id}`);
  await server.until(id, (card) => card.current_step > 1, 'at work');
  await page.locator('.condition.live').waitFor();
  page.serverIsAway = true;
  await server.kill();
  await page.getByRole('alert').filter({ hasText: 'Reconnecting' }).waitFor();
  check(await page.locator('.card').isVisible(), 'what was shown stays');
  same(await page.locator('[data-action=cancel]').getAttribute('aria-disabled'), 'true', 'actions are off');
  await server.again();
  await page.locator('.condition.live').waitFor({ timeout: 30_000 });
  page.serverIsAway = false;
  const card = await server.ended(id);
  await page.locator(`.card[data-sequence="${card.sequence}"]`).waitFor();
  await page.locator(`li[data-sequence="${card.sequence}"]`).waitFor();
  const shown = await page.locator('li[data-sequence]').evaluateAll((rows) => rows.map((row) => Number(row.dataset.sequence)));
  same(shown, Array.from({ length: card.sequence }, (_, n) => card.sequence - n).slice(0, shown.length), 'the events');
  check(shown.at(-1) === 1 || shown.length >= 200, `only ${shown.length} events are shown`);
  await close(page);
});

test('eight tabs at once are all live', async ({ server, browser }) => {
  const id = await server.import(30);
  const first = await open(browser, `${server.url}/executions/${id}`);
  const tabs = [first];
  for (let n = 1; n < 8; n += 1) {
    const tab = await first.context().newPage();
    tab.setDefaultTimeout(15_000);
    await tab.goto(`${server.url}/executions${n % 2 ? `/${id}` : ''}`);
    tabs.push(tab);
  }
  await server.ended(id);
  for (const [n, tab] of tabs.entries()) {
    const where = n % 2 || n === 0 ? '.card .top .word' : `[data-row="${id}"] .word`;
    await tab.locator(where, { hasText: 'Completed' }).waitFor().catch(async (error) => {
      throw new Error(`tab ${n} says ${JSON.stringify((await tab.locator('body').innerText()).slice(0, 400))}: ${error.message}`);
    });
  }
  // Those of tabs that were closed before end when the server next writes to them.
  let streams;
  for (let n = 0; n < 40 && streams !== 1; n += 1) {
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    streams = Number(/^everstep_http_streams (\d+)/m.exec(metrics)?.[1]);
    await first.waitForTimeout(100);
  }
  same(streams, 1, 'streams of eight tabs');
  await close(first);
});

test('a browser without shared workers has a stream of the tab itself', async ({ server, browser }) => {
  const page = await open(browser, 'about:blank');
  await page.addInitScript(() => delete window.SharedWorker);
  const id = await server.import(12);
  await page.goto(`${server.url}/executions/${id}`);
  same(await page.evaluate(() => typeof SharedWorker), 'undefined', 'shared workers');
  await page.locator('.condition.live').waitFor();
  await page.locator('.card .top .word', { hasText: 'Completed' }).waitFor({ timeout: 60_000 });
  const { sequence } = await server.card(id);
  await page.locator(`li[data-sequence="${sequence}"]`).waitFor();
  // Looked away from, it lets its stream go, and comes back to what has happened meanwhile.
  const hide = (hidden) => page.evaluate((is_hidden) => {
    Object.defineProperty(document, 'hidden', { value: is_hidden, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  const streams = async () => Number(/^everstep_http_streams (\d+)/m.exec(await (await fetch(`${server.url}/metrics`)).text())?.[1]);
  await page.goto(`${server.url}/executions`);
  await page.locator('.condition.live').waitFor();
  await hide(true);
  // The server learns that a stream has nobody at its end when it next writes to it.
  const other = await server.import(1);
  await server.ended(other);
  for (let n = 0; n < 60 && (await streams()) > 0; n += 1) await page.waitForTimeout(100);
  same(await streams(), 0, 'streams of a tab that nobody looks at');
  await hide(false);
  await page.locator('.condition.live').waitFor();
  await page.locator(`[data-row="${other}"] .word`, { hasText: 'Completed' }).waitFor();
  await close(page);
});
