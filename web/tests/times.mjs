import { axe, check, close, open, reflows, same, test } from './kit.mjs';

// One that was paused, failed once and waits to be tried again, and one whose attempt got lost.
async function eventful(server) {
  const retry = [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 900, MaxAttempts: 1 }];
  const definition = { StartAt: 'first', States: { first: { Type: 'Pass', Weight: 1, Next: 'second' }, second: { Type: 'Task', Resource: 'wants_good', Weight: 1, Retry: retry, End: true } } };
  await server.deploy('eventful', JSON.stringify(definition), 'application/json');
  const { id } = await server.ask('POST', 'executions', { workflow: 'eventful', input: {} });
  await server.until(id, (card) => card.waiting?.reason === 'retry', 'about to try again');
  await server.ask('POST', `executions/${id}/pause`, { reason: 'a look at it' });
  await server.ask('POST', `executions/${id}/resume`, {});
  return id;
}

test('a timeline marks retries and pauses, and each mark leads to its event', async ({ server, browser }) => {
  const id = await eventful(server);
  const page = await open(browser, `${server.url}/executions/${id}/timeline`);
  const list = page.getByRole('region', { name: 'Marks' });
  await list.waitFor();
  const { marks } = await server.ask('GET', `executions/${id}/timeline`);
  same(marks.map(({ kind }) => kind), ['retry', 'pause'], 'marks');
  const told = await list.locator('li').allInnerTexts();
  check(/Tried again/.test(told[0]) && /Tests\.NotGood/.test(told[0]) && /second/.test(told[0]), told[0]);
  check(/Paused/.test(told[1]) && /a look at it/.test(told[1]) && /, for /.test(told[1]), told[1]);
  const drawn = await page.locator('.marks .mark').evaluateAll((glyphs) => glyphs.map((glyph) => [glyph.textContent, parseFloat(glyph.style.left)]));
  same(drawn.map(([glyph]) => glyph), ['↻', '‖'], 'glyphs');
  check(drawn[0][1] >= 0 && drawn[0][1] < drawn[1][1] && drawn[1][1] <= 100, `in their order: ${drawn}`);
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    await axe(page, `a timeline with marks, ${scheme}`);
  }
  await list.getByRole('button', { name: `Look at event ${marks[0].sequence}` }).click();
  await page.locator(`.card[data-sequence="${marks[0].sequence}"]`).waitFor();
  check(page.url().includes('/timeline?at='), 'the view stays');
  await page.setViewportSize({ width: 320, height: 800 });
  await reflows(page, 'a timeline with marks at 320 px');
  await server.ask('POST', `executions/${id}/cancel`, {});
  await close(page);
});

test('a timeline comes nearer by keys, by the wheel and by buttons', async ({ server, browser }) => {
  const id = await server.import(24);
  await server.ended(id);
  const page = await open(browser, `${server.url}/executions/${id}/timeline`);
  const times = page.getByRole('group', { name: 'When what was at work' });
  await times.waitFor();
  const seen = () => times.evaluate((all) => [Number(all.querySelector('[data-from]').dataset.from), Number(all.querySelector('[data-to]').dataset.to)]);
  const [, whole] = await seen();
  const width = ([from, to]) => to - from;
  await times.focus();
  await page.keyboard.press('+');
  await page.keyboard.press('+');
  const near = await seen();
  check(Math.abs(width(near) - whole / 2.25) < whole / 50, `${near} of ${whole}`);
  const bars = await page.locator('[data-bar]').evaluateAll((all) => all.filter((bar) => bar.getBoundingClientRect().width > 3).length);
  check(bars > 0, 'bars are seen');
  await page.keyboard.press('ArrowLeft');
  check((await seen())[0] < near[0], 'an arrow goes to what was before');
  await axe(page, 'a part of a timeline');
  await page.keyboard.press('0');
  same(await seen(), [0, whole], 'all of it');
  const track = await times.locator('.track').first().boundingBox();
  await page.mouse.move(track.x + track.width * 0.9, track.y + track.height / 2);
  const scrolled = await page.evaluate(() => scrollY);
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -200);
  await page.keyboard.up('Control');
  await page.waitForFunction(() => Number(document.querySelector('[data-from]').dataset.from) > 0);
  const [from, to] = await seen();
  const pointed = from + (to - from) * 0.9;
  check(Math.abs(pointed - whole * 0.9) < whole / 50, `what is pointed at stays: ${pointed} of ${whole}`);
  same(await page.evaluate(() => scrollY), scrolled, 'the page does not scroll meanwhile');
  await times.getByRole('button', { name: 'All' }).click();
  same(await seen(), [0, whole], 'all of it');
  await times.getByRole('button', { name: 'Nearer' }).click();
  check(width(await seen()) < whole, 'a button comes nearer, too');
  await close(page);
});
