// Pictures of each view, for the documentation and for a look at what no test can judge.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { check, close, open, test } from './kit.mjs';
import { ROOT } from './server.mjs';

const FOLDER = resolve(ROOT, process.env.EVERSTEP_PICTURES ?? 'web/tests/out');

test('pictures are taken of each view, light, dark and narrow', async ({ server, browser }) => {
  mkdirSync(FOLDER, { recursive: true });
  const id = await server.import(700);
  const old = await server.import(2);
  const failed = (await server.ask('POST', 'executions', { workflow: 'import', input: { import_path: '/nowhere' } })).id;
  await server.ended(failed);
  await server.ended(old);
  await server.until(id, (card) => card.steps.some((step) => step.parts_completed > 0), 'half done');
  const views = {
    execution: `/executions/${id}`, executions: '/executions', failed: `/executions/${failed}`,
    graph: `/executions/${id}/graph`, timeline: `/executions/${id}/timeline`, data: `/executions/${old}/data`, past: `/executions/${old}?at=12`,
    compare: `/compare?left=${old}&right=${failed}`, workflows: '/workflows', workflow: '/workflows/import', workers: '/workers', log: '/log', login: '/login',
  };
  const ways = { light: { colorScheme: 'light' }, dark: { colorScheme: 'dark' }, narrow: { width: 390, height: 844, colorScheme: 'light' } };
  for (const [view, path] of Object.entries(views)) {
    for (const [way, options] of Object.entries(ways)) {
      const page = await open(browser, server.url + path, { reducedMotion: 'reduce', ...options });
      await page.locator('main h1').first().waitFor();
      await page.waitForTimeout(350);
      const bytes = await page.screenshot({ path: join(FOLDER, `${view}-${way}.png`), animations: 'disabled' });
      check(bytes.length > 5000, `${view}, ${way} is empty`);
      await close(page, (said) => said.includes('409'));
    }
  }
  await server.ended(id);
});
