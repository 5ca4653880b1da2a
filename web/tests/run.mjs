// Runs the tests of the page, or those whose names hold what is given, in Chromium against a real
// server: node tests/run.mjs [words]
import { browser, tests } from './kit.mjs';
import { Server } from './server.mjs';
import './live.mjs';
import './acts.mjs';
import './find.mjs';
import './workflows.mjs';
import './past.mjs';
import './views.mjs';
import './times.mjs';
import './parts.mjs';
import './names.mjs';
import './safety.mjs';
import './access.mjs';
import './login.mjs';
import './budgets.mjs';
import './pictures.mjs';

const words = process.argv.slice(2).join(' ');
const chosen = tests.filter(({ name }) => name.includes(words));
const server = await Server.begin();
const chromium = await browser();
let failed = 0;
for (const { name, body } of chosen) {
  const begin = Date.now();
  try {
    await body({ server, browser: chromium });
    console.log(`ok   ${name} (${Date.now() - begin} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n     ${error.stack}`);
    for (const context of chromium.contexts()) await context.close();
  }
}
await chromium.close();
await server.end();
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed || !chosen.length ? 1 : 0);
