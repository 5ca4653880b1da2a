import { check, close, open, same, settled, test } from './kit.mjs';

test('hostile titles, messages and outputs are text', async ({ server, browser }) => {
  const { id } = await server.ask('POST', 'executions', { workflow: 'hostile', input: { '<img src=x onerror=window.harmed=1>': '<script>window.harmed=1</script>' } });
  await server.ended(id);
  for (const path of [`executions/${id}`, `executions/${id}/data`, `executions/${id}/graph`, `executions/${id}/timeline`, 'executions', 'workflows', 'workflows/hostile', 'log']) {
    const page = await open(browser, `${server.url}/${path}`);
    await settled(page);
    same(await page.evaluate(() => [window.harmed ?? null, document.querySelectorAll('main img, main script').length]), [null, 0], path);
    await close(page, (said) => said.includes('409'));
  }
  const page = await open(browser, `${server.url}/executions/${id}`);
  await page.getByText('<script>window.harmed=1</script>').first().waitFor();
  await close(page);
});

test('hostile words of a worker, labels and colours of a definition are text and values', async ({ server, browser }) => {
  const definition = {
    StartAt: 'one', Title: '<img src=x onerror=window.harmed=1>',
    JobTypes: { hostile_words: { Label: '<svg onload=window.harmed=1>', Colour: 'red' } },
    States: { one: { Type: 'Task', Resource: 'hostile_words', Weight: 1, End: true } },
  };
  await server.deploy('words', JSON.stringify(definition), 'application/json');
  const { id } = await server.ask('POST', 'executions', { workflow: 'words' });
  await server.until(id, (card) => card.active_sub_jobs[0]?.message, 'talkative');
  const page = await open(browser, `${server.url}/executions/${id}`);
  await page.locator('.job .message', { hasText: '<img src=x onerror=window.harmed=1>' }).waitFor();
  await page.locator('.job .name', { hasText: '<svg onload=window.harmed=1>' }).waitFor();
  await page.keyboard.press('Control+k');
  // Of many workflows only some are shown before something is written.
  await page.keyboard.type('<img');
  await page.getByRole('option', { name: /<img src=x/ }).first().waitFor();
  same(await page.evaluate(() => [window.harmed ?? null, document.querySelectorAll('img, script:not([src])').length]), [null, 0], 'harm');
  await server.ask('POST', `executions/${id}/cancel`, { reason: '<script>window.harmed=1</script>' });
  await page.keyboard.press('Escape');
  await page.locator('.card .note', { hasText: '<script>window.harmed=1</script>' }).waitFor();
  same(await page.evaluate(() => window.harmed ?? null), null, 'harm');
  await close(page);
});

test('the policy allows nothing inline, and hashed files may be kept', async ({ server }) => {
  const page = await fetch(`${server.url}/executions/any?at=3`);
  same(page.status, 200, 'a deep link');
  const policy = page.headers.get('content-security-policy');
  check(policy.includes("default-src 'self'") && !policy.includes('unsafe'), policy);
  same(page.headers.get('cache-control'), 'no-cache', 'of the page');
  const tag = page.headers.get('etag');
  same((await fetch(`${server.url}/`, { headers: { 'If-None-Match': tag } })).status, 304, 'the page again');
  const asset = /\/assets\/[^"]+\.js/.exec(await page.text())[0];
  check((await fetch(server.url + asset)).headers.get('cache-control').includes('immutable'), 'assets may be kept');
  same((await fetch(`${server.url}/assets/none.js`)).status, 404, 'a file that is not there');
});
