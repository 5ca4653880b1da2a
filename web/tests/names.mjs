// The names and roles of views, as those hear them who do not see: what is in golden/ is what a person
// has read once. EVERSTEP_BLESS=1 writes it anew.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { close, open, same, settled, test } from './kit.mjs';
import { Server } from './server.mjs';

const FOLDER = join(import.meta.dirname, 'golden');
// What is another one each time.
const OTHERS = [
  [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID'], [/\b[ghkmnp-z]{15}\b/g, 'HANDLE'], [/\/tmp\/[^"\s]*/g, 'PATH'], [/in-process \d+/g, 'in-process N'], [/\b\d+ B\b/g, 'SIZE'],
  [/\b(\d+d )?(\d+h )?(\d+m )?\d+(\.\d+)? (ms|s)\b/g, 'TIME'], [/\b\d+ (min|h|days?) ago|TIME ago|just now/g, 'AGO'], [/\b[A-Z][a-z]{2} \d+, [\d:]+ [AP]M/g, 'DATE'],
];
const masked = (text) => OTHERS.reduce((left, [what, word]) => left.replace(what, word), text);

function golden(name, text) {
  const file = join(FOLDER, `${name}.txt`);
  const now = `${masked(text)}\n`;
  if (process.env.EVERSTEP_BLESS) {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(file, now);
  }
  const lines = readFileSync(file, 'utf8').split('\n');
  const differs = now.split('\n').findIndex((line, place) => line !== lines[place]);
  same(now.split('\n').slice(differs, differs + 3), lines.slice(differs, differs + 3), `${name}, line ${differs + 1}`);
  same(now.split('\n').length, lines.length, `lines of ${name}`);
}

test('names and roles of views are those that somebody has read', async ({ browser }) => {
  const server = await Server.begin();
  try {
    const empty = await open(browser, `${server.url}/executions`);
    await settled(empty);
    golden('nothing-started', await empty.locator('body').ariaSnapshot());
    await empty.keyboard.press('?');
    golden('keys', await empty.getByRole('dialog').ariaSnapshot());
    await close(empty);
    const id = await server.import(4);
    const { sequence } = await server.ended(id);
    const views = { executions: '/executions', card: `/executions/${id}`, past: `/executions/${id}?at=${sequence}`, timeline: `/executions/${id}/timeline`, data: `/executions/${id}/data`, workflows: '/workflows', login: '/login' };
    const parts = { card: '.card', past: 'section[aria-label="Time travel"]', timeline: 'section[aria-label=Timeline]', data: 'section[aria-label=Output]' };
    for (const [name, path] of Object.entries(views)) {
      const page = await open(browser, server.url + path);
      await settled(page);
      const text = await page.locator(parts[name] ?? 'main').first().ariaSnapshot();
      golden(name, name === 'past' ? text.replaceAll(String(sequence), 'LAST') : text);
      await close(page);
    }
    const page = await open(browser, `${server.url}/executions/${id}`);
    await page.locator('[data-action=rerun][aria-disabled=false]').click();
    golden('dialog', await page.getByRole('dialog').ariaSnapshot());
    await close(page);
  } finally {
    await server.end();
  }
});
