// What views say of what is so: each is held against what the server was given.
import { execFileSync } from 'node:child_process';
import { axe, check, close, open, same, test } from './kit.mjs';

const json = (definition) => JSON.stringify(definition);
const task = (resource, more = {}) => ({ Type: 'Task', Resource: resource, Weight: 1, End: true, ...more });
const number = (text) => Number(text.replaceAll(',', ''));

async function begin(server, name, definition, input = {}) {
  await server.deploy(name, json(definition), 'application/json');
  return (await server.ask('POST', 'executions', { workflow: name, input })).id;
}

test('each tab tells how many there are, also while they change', async ({ server, browser }) => {
  const counts = async (page) => Object.fromEntries(await page.locator('nav[aria-label="By status"] a').evaluateAll((tabs) => tabs.map((tab) => [tab.childNodes[0].textContent.trim(), tab.querySelector('.count')?.textContent])));
  const wait = { StartAt: 'wait', States: { wait: { Type: 'Wait', Seconds: 600, End: true } } };
  const fail = { StartAt: 'no', States: { no: { Type: 'Fail', Error: 'No', Cause: 'no' } } };
  const one = await begin(server, 'counted', wait);
  await server.ended(await begin(server, 'counted', fail));
  await server.deploy('counted', json(wait), 'application/json');
  const page = await open(browser, `${server.url}/executions?workflow=counted`);
  await page.locator('nav .count').first().waitFor();
  same(await counts(page), { All: '2', 'In flight': '1', 'Needs attention': '1', Failed: '1', Done: '0', Cancelled: '0' }, 'counts');
  await server.ask('POST', `executions/${one}/cancel`, {});
  await page.getByRole('link', { name: /^Cancelled 1$/ }).waitFor();
  same((await counts(page))['In flight'], '0', 'in flight');
  await page.getByRole('searchbox').fill('nothing of the kind');
  await page.getByRole('link', { name: /^All 0$/ }).waitFor();
  await axe(page, 'tabs with counts');
  await page.goto(`${server.url}/executions`);
  await page.locator('nav .count').first().waitFor();
  const { totals } = await server.ask('GET', 'executions?totals=true&limit=1');
  check(totals.is_exact && number((await counts(page)).All) >= totals.total, 'all of them, without a filter');
  // More than are counted is told as that.
  await page.route('**/api/v1/executions?*totals=true*', async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    await route.fulfill({ response, json: { ...body, totals: { ...body.totals, is_exact: false, by_status: { running: 7, completed: 9993 } } } });
  });
  await page.reload();
  await page.getByRole('link', { name: /^All 10,000\+$/ }).waitFor();
  same((await counts(page))['In flight'], '7', 'what goes on is all counted');
  await close(page);
});

test('labels of an execution, and labels and colours of job types, are as their definition says', async ({ server, browser }) => {
  const id = await begin(server, 'painted', {
    StartAt: 'both', Labels: { team: 'books', region: 'north' },
    JobTypes: { hangs: { Label: 'Holding on', Colour: '#0a7f3c' }, hostile_words: { Colour: 'teal' } },
    States: { both: { Type: 'Parallel', Weight: 1, End: true, Branches: ['hangs', 'hostile_words'].map((one) => ({ StartAt: one, States: { [one]: task(one) } })) } },
  });
  await server.until(id, (card) => card.active_sub_jobs.length === 2, 'at work on both');
  const page = await open(browser, `${server.url}/executions/${id}`);
  await page.locator('.job').nth(1).waitFor();
  const jobs = await page.locator('.job').evaluateAll((rows) => rows.map((row) => {
    const [name, swatch] = [row.querySelector('.name'), row.querySelector('.swatch')];
    return [name.textContent, name.title, getComputedStyle(swatch).backgroundColor];
  }));
  same(jobs.sort(), [['Holding on', 'hangs', 'rgb(10, 127, 60)'], ['hostile_words', 'hostile_words', 'rgb(0, 128, 128)']], 'label, type and colour');
  const chips = await page.locator('.names .chip').allInnerTexts();
  same(chips.sort(), ['region: north', 'team: books'], 'labels');
  await server.ask('POST', `executions/${id}/cancel`, {});
  await close(page);
});

test('two executions beside each other name what is not the same: steps, inputs, outputs', async ({ server, browser }) => {
  const choice = { Type: 'Choice', Choices: [{ Variable: '$.way', StringEquals: 'left', Next: 'Left' }], Default: 'Right' };
  const pass = (result) => ({ Type: 'Pass', Weight: 1, Result: result, End: true });
  const id = await begin(server, 'ways', { StartAt: 'Choose', States: { Choose: choice, Left: pass({ went: 'left' }), Right: pass({ went: 'right' }) } }, { way: 'left' });
  const other = (await server.ask('POST', 'executions', { workflow: 'ways', input: { way: 'right' } })).id;
  for (const one of [id, other]) await server.ended(one);
  const page = await open(browser, `${server.url}/executions/${id}/compare`);
  await page.getByLabel('With which one').fill(other);
  await page.getByRole('button', { name: 'Compare' }).click();
  await page.locator('section[aria-label=Differences] tbody tr').first().waitFor();
  const rows = await page.locator('section[aria-label=Differences] tbody tr').evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent.trim())));
  const found = (what, left, right) => check(rows.some((row) => row[0] === what && row[1].includes(left) && row[2].includes(right)), `${what} from ${left} to ${right} in ${JSON.stringify(rows)}`);
  found('input', '"way":"left"', '"way":"right"');
  found('output', '"went":"left"', '"went":"right"');
  found('Left · status', 'completed', '');
  found('Right · status', '', 'completed');
  const { differences, parting } = await server.ask('GET', `executions/${id}/diff?other=${other}`);
  same(rows.length, differences.length, 'each difference has its row');
  const parted = await page.locator('section[aria-label="Where they part"]').innerText();
  check(parted.includes(`first ${parting.shared} events`) && /Left/.test(parted) && /Right/.test(parted), parted);
  await page.locator('section[aria-label="Where they part"] a').first().click();
  await page.locator(`.card[data-sequence="${parting.left.sequence}"]`).waitFor();
  await close(page);
});

test('an event tells what it changed, and what its fields are', async ({ server, browser }) => {
  const id = await begin(server, 'changes', { StartAt: 'one', States: { one: { Type: 'Pass', Weight: 1, Result: { answer: 42 }, End: true } } });
  const { sequence: last } = await server.ended(id);
  const page = await open(browser, `${server.url}/executions/${id}`);
  const row = page.locator(`li[data-sequence="${last}"]`);
  await row.getByRole('button', { name: `What event ${last} changed` }).click();
  await row.locator('.inside li').first().waitFor();
  const { changes } = await server.ask('GET', `executions/${id}/diff?from=${last - 1}&to=${last}`);
  check(changes.some(({ field, before, after }) => field === 'status' && before === 'running' && after === 'completed'), JSON.stringify(changes));
  const told = await row.locator('.inside li:has(del)').evaluateAll((items) => items.map((item) => [item.querySelector('strong').textContent, item.querySelector('del').textContent, item.querySelector('ins').textContent]));
  const text = (value) => (value === null ? '–' : typeof value === 'string' ? value : JSON.stringify(value));
  same(told, changes.map(({ field, before, after }) => [field, text(before), text(after)]), 'each change');
  check((await row.locator('.inside').innerText()).includes('42'), 'its fields');
  await axe(page, 'what an event changed');
  await close(page);
});

test('a job type that nobody serves is warned of, with who needs it, and the execution says that it waits for one', async ({ server, browser }) => {
  const id = await begin(server, 'orphan', { StartAt: 'one', States: { one: task('nobody_has_this') } });
  await server.until(id, (card) => card.waiting, 'waiting');
  const page = await open(browser, `${server.url}/workers`);
  const warning = page.locator('.note', { hasText: 'nobody_has_this' });
  await warning.waitFor();
  const told = await warning.innerText();
  check(told.includes('Nobody serves') && told.includes('1 job waits for it') && told.includes('orphan needs it') && told.includes('[jobs.nobody_has_this]'), told);
  check(!(await page.locator('.note').allInnerTexts()).some((text) => text.includes('hangs')), 'what is served is not warned of');
  check((await page.getByRole('region', { name: 'Job types' }).getByRole('row', { name: /nobody_has_this/ }).innerText()).includes('nobody serves it'), 'the list says so');
  await axe(page, 'a warning');
  await page.goto(`${server.url}/executions/${id}`);
  const why = page.locator('section[aria-label="Why it waits"]');
  await why.waitFor();
  check(/nobody_has_this/.test(await why.innerText()), await why.innerText());
  check(/nobody_has_this/.test(await page.locator('.card .waiting').innerText()), 'the card says so, too');
  await server.ask('POST', `executions/${id}/cancel`, {});
  await close(page);
});

test('what is copied as curl and as a command starts what the form says', async ({ server, browser }) => {
  await server.deploy('copied', json({ StartAt: 'one', States: { one: { Type: 'Wait', Seconds: 600, End: true } } }), 'application/json');
  const page = await open(browser, `${server.url}/workflows/copied`, { permissions: ['clipboard-read', 'clipboard-write'] });
  await page.getByLabel('Input, as JSON').fill('{"text": "it\'s \\"$HOME\\" `x`", "n": 1}');
  await page.getByLabel(/^Name/).fill('from-a-shell');
  const copied = async (label) => {
    await page.getByRole('button', { name: label }).click();
    await page.getByRole('button', { name: label }).filter({ hasText: 'Copied' }).waitFor();
    return page.evaluate(() => navigator.clipboard.readText());
  };
  const curl = await copied('Copy as curl');
  check(curl.startsWith(`curl -X POST ${server.url}/api/v1/executions `), curl);
  const started = JSON.parse(execFileSync('sh', ['-c', `${curl} -sS`], { encoding: 'utf8' }));
  same(await server.ask('GET', `executions/${started.id}/input`), { text: 'it\'s "$HOME" `x`', n: 1 }, 'its input');
  same((await server.card(started.id)).name, 'from-a-shell', 'its name');
  // By the command it is the same start again: it has a name, so that it is the same execution.
  const command = await copied('Copy as command: everstep start');
  check(command.startsWith("everstep start 'copied' --input '"), command);
  const again = server.shell(command);
  check(again.includes(started.id) || again.includes((await server.card(started.id)).handle), again);
  same((await server.ask('GET', 'executions?workflow=copied')).items.length, 1, 'executions');
  await server.ask('POST', `executions/${started.id}/cancel`, {});
  await close(page);
});

test('workflows tell how many were started in a day, and which part succeeded', async ({ server, browser }) => {
  const good = { StartAt: 'one', States: { one: { Type: 'Pass', End: true } } };
  for (const ends of [good, good, { StartAt: 'one', States: { one: { Type: 'Fail', Error: 'No' } } }]) await server.ended(await begin(server, 'mixed', ends));
  await server.deploy('unused', json(good), 'application/json');
  const page = await open(browser, `${server.url}/workflows`);
  const row = (name) => page.locator('tbody tr', { has: page.getByRole('link', { name, exact: true }) });
  await row('mixed').waitFor();
  const cells = async (name) => [await row(name).locator('[data-of=started]').evaluate((cell) => cell.innerText.trim()), await row(name).locator('[data-of=succeeded]').evaluate((cell) => cell.innerText.trim())];
  same(await cells('mixed'), ['3', '66 %'], 'of three');
  same(await cells('unused'), ['none', '–'], 'of none');
  await close(page);
});
