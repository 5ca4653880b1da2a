import { axe, check, close, open, same, test, why } from './kit.mjs';
import { Server } from './server.mjs';

test('where access is on a token leads in, and a role disables with its reason', async ({ browser }) => {
  const server = await Server.begin({ guarded: true });
  try {
    const viewer = server.newToken('watcher', 'viewer');
    const id = await server.import(1);
    await server.ended(id);
    const page = await open(browser, `${server.url}/executions/${id}`);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.getByLabel('Token').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor();
    await page.getByLabel('Token').fill(viewer);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.locator('.card').waitFor();
    check(page.url().includes(id), 'it leads back to where it came from');
    await page.locator('.condition.live').waitFor();
    await page.locator('[data-action=rerun][aria-disabled=true]').waitFor();
    check((await why(page, 'rerun')).includes('watcher has the role viewer'), 'why it is disabled');
    same(await page.locator('.actions button').count(), 5, 'nothing is hidden');
    await axe(page, 'what a viewer sees');
    await page.keyboard.press('Control+k');
    await page.getByRole('option', { name: 'Timeline' }).waitFor();
    same(await page.getByRole('option', { name: /Rerun|Delete/ }).count(), 0, 'the palette offers nothing that is not allowed');
    await page.keyboard.press('Escape');
    await page.goto(`${server.url}/log`);
    check((await why(page, 'verify')).includes('watcher has the role viewer'), 'why it cannot verify');
    await page.goto(`${server.url}/workflows/import`);
    await page.locator('[data-action=start][aria-disabled=true]').waitFor();
    check((await why(page, 'start')).includes('watcher has the role viewer'), 'why it cannot be started');
    await page.goto(`${server.url}/executions`);
    await page.locator(`[data-row="${id}"] input`).check();
    await page.getByRole('group', { name: 'What is chosen' }).getByText('watcher has the role viewer').first().waitFor();
    await close(page, (said) => said.includes('401'));
  } finally {
    await server.end();
  }
});

test('an operator acts, and is named in what came of it', async ({ browser }) => {
  const server = await Server.begin({ guarded: true });
  try {
    const operator = server.newToken('helmsman', 'operator');
    const id = await server.import(400);
    const page = await open(browser, `${server.url}/login?next=${encodeURIComponent(`/executions/${id}`)}`);
    await page.getByLabel('Token').fill(operator);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.locator('[data-action=cancel][aria-disabled=false]').click();
    await page.getByRole('dialog').getByLabel('Reason').fill('shoals ahead');
    await page.getByRole('dialog').locator('button.main').click();
    await page.locator('.card .note', { hasText: 'helmsman' }).filter({ hasText: 'shoals ahead' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await close(page, (said) => said.includes('401'));
  } finally {
    await server.end();
  }
});
