// Pictures of each view, for the documentation and for a look at what no test can judge.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { check, close, open, settled, test } from './kit.mjs';
import { ROOT, Server } from './server.mjs';

const FOLDER = resolve(ROOT, process.env.EVERSTEP_PICTURES ?? 'web/tests/out');
const WAYS = { light: { colorScheme: 'light' }, dark: { colorScheme: 'dark' }, narrow: { width: 390, height: 844, colorScheme: 'light' } };

// What stands below the card is what the picture is of.
const below = (page) => page.locator('nav[aria-label=Views]').evaluate((tabs) => scrollTo(0, tabs.getBoundingClientRect().top + scrollY - 64));
const palette = async (page) => {
  await page.keyboard.press('Control+k');
  await page.keyboard.type('im');
  await page.getByRole('option').nth(3).waitFor();
};
const retry = async (page) => {
  await page.locator('[data-action=retry][aria-disabled=false]').click();
  await page.getByText('Set values in its input').click();
  await page.getByRole('button', { name: 'Add a value' }).click();
  await page.getByLabel('Path 1').fill('import_path');
  await page.getByLabel('Value 1, as JSON or text').fill('/data/inbox');
  await page.getByLabel('Reason').fill('the folder was elsewhere');
  await page.locator('dialog dt').first().waitFor();
};
const search = async (page) => {
  await page.getByText(/events? found$/).waitFor();
  await below(page);
};

// What somebody might have who uses this every day.
async function everyday(server) {
  const report = { StartAt: 'Collect', Title: 'Monthly report', States: { Collect: { Type: 'Pass', Weight: 1, Next: 'Wait for the books' }, 'Wait for the books': { Type: 'Wait', Weight: 2, Seconds: 86_400, Next: 'Write' }, Write: { Type: 'Pass', Weight: 3, End: true } } };
  await server.deploy('report', JSON.stringify(report), 'application/json');
  const start = async (workflow, input, more = {}) => (await server.ask('POST', 'executions', { workflow, input, ...more })).id;
  for (const files of [3, 1]) await server.ended(await server.import(files));
  const stopped = await server.import(120);
  await server.until(stopped, (card) => card.progress > 30, 'under way');
  await server.ask('POST', `executions/${stopped}/cancel`, { reason: 'the wrong folder' });
  await server.ended(stopped);
  await start('report', { month: '2026-10' }, { name: 'october' });
  const held = await start('report', { month: '2026-11' }, { name: 'november' });
  await server.ask('POST', `executions/${held}/pause`, { reason: 'the books are not closed' });
  const old = await server.import(4);
  await server.ended(old);
  const failed = await start('import', { import_path: '/nowhere' });
  await server.ended(failed);
  const id = await server.import(900);
  await server.until(id, (card) => card.steps.some((step) => step.parts_completed > 2), 'well under way');
  // It was held for a while, which its timeline shows.
  await server.ask('POST', `executions/${id}/pause`, { reason: 'the disk was full' });
  await server.until(id, (card) => card.active_sub_jobs.every((job) => job.status !== 'running'), 'held');
  await server.ask('POST', `executions/${id}/resume`, {});
  return { id, old, failed };
}

// As those see it who set colours of their own, or see fewer: for somebody to look at, not for the documentation.
async function lookedAt(browser, server, views) {
  const folder = resolve(import.meta.dirname, 'out');
  mkdirSync(folder, { recursive: true });
  for (const [view, path] of Object.entries(views)) {
    const forced = await open(browser, server.url + path, { forcedColors: 'active', reducedMotion: 'reduce' });
    await settled(forced);
    await forced.screenshot({ path: join(folder, `${view}-forced.png`) });
    await close(forced);
    const page = await open(browser, server.url + path, { reducedMotion: 'reduce' });
    await settled(page);
    const devtools = await page.context().newCDPSession(page);
    for (const type of ['deuteranopia', 'protanopia', 'tritanopia', 'achromatopsia']) {
      await devtools.send('Emulation.setEmulatedVisionDeficiency', { type });
      await page.screenshot({ path: join(folder, `${view}-${type}.png`) });
    }
    await close(page);
  }
}

test('pictures are taken of each view, light, dark and narrow', async ({ browser }) => {
  mkdirSync(FOLDER, { recursive: true });
  const server = await Server.begin({ config: join(ROOT, 'examples/import/everstep.toml') });
  try {
    const { id, old, failed } = await everyday(server);
    const views = {
      execution: [`/executions/${id}`], executions: ['/executions'], failed: [`/executions/${failed}`],
      graph: [`/executions/${id}/graph`, below], timeline: [`/executions/${id}/timeline`, below], data: [`/executions/${old}/data`, below], past: [`/executions/${old}?at=12`],
      search: [`/executions/${old}?q=files`, search], palette: [`/executions/${id}`, palette], retry: [`/executions/${failed}`, retry],
      compare: [`/compare?left=${old}&right=${failed}`], workflows: ['/workflows'], workflow: ['/workflows/import'], workers: ['/workers'], log: ['/log'], login: ['/login'],
    };
    for (const [view, [path, before]] of Object.entries(views)) {
      for (const [way, options] of Object.entries(WAYS)) {
        const page = await open(browser, server.url + path, { reducedMotion: 'reduce', ...options });
        await settled(page);
        await before?.(page);
        await page.waitForTimeout(150);
        const bytes = await page.screenshot({ path: join(FOLDER, `${view}-${way}.png`), animations: 'disabled' });
        check(bytes.length > 5000, `${view}, ${way} is empty`);
        await close(page, (said) => said.includes('409'));
      }
    }
    await lookedAt(browser, server, { execution: `/executions/${id}`, executions: '/executions', graph: `/executions/${old}/graph` });
  } finally {
    await server.end();
  }
});
