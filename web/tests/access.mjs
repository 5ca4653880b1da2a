import { axe, check, close, open, reflows, same, settled, test } from './kit.mjs';
import { Server } from './server.mjs';

async function begin(server, name, states) {
  await server.deploy(name, JSON.stringify({ StartAt: Object.keys(states)[0], QueryLanguage: 'JSONata', States: states }), 'application/json');
  return (await server.ask('POST', 'executions', { workflow: name, input: {} })).id;
}

async function views(server) {
  const id = await server.import(6);
  await server.ended(id);
  const failed = (await server.ask('POST', 'executions', { workflow: 'hostile' })).id;
  await server.ended(failed);
  const waits = await begin(server, 'waits-for-nobody', { one: { Type: 'Task', Resource: 'nobody', Weight: 1, End: true } });
  const paused = await begin(server, 'held', { one: { Type: 'Wait', Seconds: 600, Weight: 1, End: true } });
  await server.ask('POST', `executions/${paused}/pause`, { reason: 'a look at it' });
  const item = { StartAt: 'one', States: { one: { Type: 'Pass', End: true } } };
  const huge = await begin(server, 'huge', { all: { Type: 'Map', Weight: 1, End: true, Items: '{% [1..400] %}', ItemProcessor: item } });
  await server.ended(huge);
  return {
    waiting: `/executions/${waits}`, paused: `/executions/${paused}`, huge: `/executions/${huge}`, executions: '/executions', empty: '/executions?q=zzzzzz', execution: `/executions/${id}`, failed: `/executions/${failed}`, past: `/executions/${id}?at=9`,
    graph: `/executions/${id}/graph`, timeline: `/executions/${id}/timeline`, data: `/executions/${id}/data`, compare: `/compare?left=${id}&right=${failed}`,
    workflows: '/workflows', workflow: '/workflows/import', workers: '/workers', log: '/log', login: '/login',
  };
}

test('axe finds nothing in any view, light and dark', async ({ server, browser }) => {
  const all = Object.entries(await views(server));
  for (const colorScheme of ['light', 'dark']) {
    for (const [name, path] of all) {
      const page = await open(browser, server.url + path, { colorScheme });
      await settled(page);
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
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await axe(page, `the dialog, ${colorScheme}`);
  }
  await close(page);
});

test('axe finds nothing while the server is away', async ({ browser }) => {
  const server = await Server.begin();
  const id = await server.import(1);
  await server.ended(id);
  const page = await open(browser, `${server.url}/executions/${id}`);
  await page.locator('.condition.live').waitFor();
  page.serverIsAway = true;
  await server.kill();
  await page.getByRole('alert').filter({ hasText: 'Reconnecting' }).waitFor();
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await axe(page, `without a server, ${colorScheme}`);
  }
  await page.setViewportSize({ width: 320, height: 800 });
  await reflows(page, 'without a server at 320 px');
  await close(page);
  await server.end();
});

test('no view scrolls sideways at 320, 390, 640, 768 and 1280 px', async ({ server, browser }) => {
  for (const [name, path] of Object.entries(await views(server))) {
    const page = await open(browser, server.url + path, { width: 320 });
    await settled(page);
    // 640 is what 1280 is at 200 %.
    for (const width of [320, 390, 640, 768, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      await reflows(page, `${name} at ${width} px`);
    }
    await close(page, (said) => said.includes('409'));
  }
});

test('everything is done with the keyboard alone', async ({ server, browser }) => {
  const inbox = server.inbox(400);
  const page = await open(browser, `${server.url}/workflows/import`);
  await settled(page);
  // To the form, by Tab alone.
  await tabTo(page, 'Input, as JSON');
  await page.keyboard.press('Control+a');
  await page.keyboard.type(JSON.stringify(inbox));
  await tabTo(page, 'Start the newest version');
  const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth);
  same(ring, 'solid2px', 'the ring of what has the focus');
  await page.keyboard.press('Enter');
  await page.locator('.card').waitFor();
  const id = new URL(page.url()).pathname.split('/').at(-1);
  await page.keyboard.press('g');
  await page.keyboard.press('e');
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

// Presses Tab until something with this name has the focus.
async function tabTo(page, name) {
  for (let n = 0; n < 60; n += 1) {
    await page.keyboard.press('Tab');
    const has = await page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent);
    if (has.trim().startsWith(name)) return;
  }
  throw new Error(`Tab does not lead to ${name}`);
}

test('Tab goes through an execution in the order in which it is read', async ({ server, browser }) => {
  const id = await server.import(1);
  const { sequence } = await server.ended(id);
  const page = await open(browser, `${server.url}/executions/${id}`);
  await settled(page);
  const found = [];
  for (let n = 0; n < 40 && found.at(-1) !== `Look at event ${sequence}`; n += 1) {
    await page.keyboard.press('Tab');
    found.push(await page.evaluate(() => (document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent).trim()));
  }
  same(found, [
    'Skip to the content', 'Everstep', 'Executions', 'Workflows', 'Workers', 'Log', 'Go toCtrl K', 'Light or dark', 'Keys',
    'Data import', 'version 1', 'Copy the id', 'Pause', 'Cancel…', 'Retry…', 'Rerun…', 'Delete…',
    'Step boundary before', 'One event back', 'One event on', 'Next step boundary', 'Event', 'Newest',
    'Events', 'Graph', 'Timeline', 'Input & output', 'Compare', 'Search all events', `Look at event ${sequence}`,
  ], 'where Tab goes');
  await close(page);
});

test('forced colours and reduced motion keep words and borders', async ({ server, browser }) => {
  const id = await server.import(1);
  await server.ended(id);
  const page = await open(browser, `${server.url}/executions/${id}`, { forcedColors: 'active', reducedMotion: 'reduce' });
  await settled(page);
  const seen = await page.evaluate(() => ({
    border: getComputedStyle(document.querySelector('.bar')).borderTopWidth,
    moves: getComputedStyle(document.querySelector('.moves')).transitionDuration,
    word: document.querySelector('.card .word').textContent,
  }));
  same(seen, { border: '1px', moves: '0s', word: 'Completed' }, 'what is seen');
  await close(page);
});
