import { axe, check, close, open, same, test } from './kit.mjs';

const pass = (next) => (next ? { Type: 'Pass', Weight: 1, Next: next } : { Type: 'Pass', Weight: 1, End: true });

test('of a workflow with several versions each is shown, and what changed between two', async ({ server, browser }) => {
  const versions = [
    { StartAt: 'Fetch', States: { Fetch: pass('Check'), Check: pass('Store'), Store: pass() } },
    { StartAt: 'Fetch', States: { Fetch: pass('Check'), Check: { ...pass(), Result: 7 } } },
    { StartAt: 'Fetch', States: { Fetch: pass('Check'), Check: { ...pass('Tell'), Result: 7 }, Tell: pass() } },
  ];
  for (const one of versions) await server.deploy('grows', JSON.stringify(one), 'application/json');
  const page = await open(browser, `${server.url}/workflows`);
  await page.getByRole('row', { name: /grows/ }).getByText('version 3').waitFor();
  await page.getByRole('link', { name: 'grows', exact: true }).click();
  const graph = page.locator('section[aria-label=Graph] svg');
  await graph.getByText('Tell', { exact: true }).waitFor();
  await page.getByLabel('Version').selectOption('1');
  await graph.getByText('Store', { exact: true }).waitFor();
  check(page.url().includes('version=1'), 'the version is in the address');
  await page.goto(`${server.url}/workflows/grows?version=3&from=1`);
  const changed = page.locator('section[aria-label="What changed"]');
  await changed.waitFor();
  const told = await changed.innerText();
  for (const word of [/added\s+Tell/, /removed\s+Store/, /changed\s+Check/]) check(word.test(told), `${word}: ${told}`);
  await axe(page, 'what changed');
  await page.getByLabel('changed since').selectOption('2');
  await changed.filter({ hasNotText: 'removed' }).waitFor();
  check(page.url().includes('from=2'), 'what it is compared with is in the address');
  await close(page);
});

test('the form starts a workflow, says what is wrong with its input, and is the command that it copies', async ({ server, browser }) => {
  await server.deploy('starts', JSON.stringify({ StartAt: 'one', States: { one: pass() } }), 'application/json');
  const page = await open(browser, `${server.url}/workflows/starts`, { permissions: ['clipboard-read', 'clipboard-write'] });
  const input = page.getByLabel('Input, as JSON');
  await input.fill('{"a": ');
  await page.locator('#fault:not(:empty)').waitFor();
  same(await page.getByRole('button', { name: 'Start the newest version' }).getAttribute('aria-disabled'), 'true', 'what is no JSON is not sent');
  await input.fill('{"a": "it\'s"}');
  await page.getByRole('button', { name: 'Copy as command: everstep start' }).click();
  const command = await page.evaluate(() => navigator.clipboard.readText());
  same(command, `everstep start 'starts' --input '{"a": "it'\\''s"}'`, 'the command');
  await page.getByRole('button', { name: 'Start the newest version' }).click();
  await page.locator('.card .top .word', { hasText: 'Completed' }).waitFor();
  const id = new URL(page.url()).pathname.split('/').at(-1);
  same(await server.ask('GET', `executions/${id}/input`), { a: "it's" }, 'its input');
  await close(page);
});
