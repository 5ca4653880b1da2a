// What every test needs: a browser, pages that must not say anything wrong, and checks with words.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export const tests = [];
export const test = (name, body) => tests.push({ name, body });

export function check(holds, what) {
  if (!holds) throw new Error(what);
}

export function same(found, expected, what) {
  const [one, other] = [JSON.stringify(found), JSON.stringify(expected)];
  if (one !== other) throw new Error(`${what}: found ${one}, expected ${other}`);
}

export function browser() {
  const executablePath = execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim();
  return chromium.launch({ executablePath, args: FLAGS });
}

// A page in a browser context of its own. What it says on its console that is wrong fails the test,
// unless the test says that the server is away.
export async function open(browser, url, { width = 1280, height = 900, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, ...options });
  const page = await context.newPage();
  page.wrong = [];
  // What it has asked and not been answered; its stream is never over.
  page.asks = new Set();
  page.on('request', (request) => /\/api\/v1\/(?!stream)/.test(request.url()) && page.asks.add(request));
  page.on('requestfinished', (request) => page.asks.delete(request));
  page.on('requestfailed', (request) => page.asks.delete(request));
  page.serverIsAway = false;
  page.on('pageerror', (error) => page.wrong.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !page.serverIsAway) page.wrong.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.setDefaultTimeout(15_000);
  await page.goto(url);
  return page;
}

// Ends a page, which must have said nothing wrong.
export async function close(page, allowed = () => false) {
  const wrong = page.wrong.filter((one) => !allowed(one));
  await page.context().close();
  same(wrong, [], 'what the page said wrong');
}

// Waits until the page has its answers, and has drawn them.
export async function settled(page) {
  await page.locator('main h1').first().waitFor();
  for (let quiet = 0; quiet < 6; quiet += 1) {
    if (page.asks.size || (await page.getByText(/^(Asking the server|Laying it out)/).count())) quiet = -1;
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
}

export async function axe(page, where) {
  // The policy of the page lets no foreign script in by an element; this is evaluated beside it.
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  const told = found.violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 160)} (${failureSummary.split('\n').slice(1, 2)})`).join(' | ')}`);
  same(told, [], `axe on ${where}`);
}

export async function reflows(page, where) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(wide <= 0, `${where} scrolls sideways by ${wide} px`);
}

// Why an action cannot be done now, as somebody hears it who comes to its button.
export async function why(page, action) {
  const button = page.locator(`[data-action=${action}][aria-disabled=true]`);
  const told = await button.getAttribute('aria-describedby');
  return page.evaluate((id) => document.getElementById(id).textContent, told);
}
