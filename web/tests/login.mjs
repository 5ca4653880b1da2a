import { axe, check, close, open, same, test } from './kit.mjs';
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
    check((await page.locator('#why-rerun').textContent()).includes('watcher has the role viewer'), 'why it is disabled');
    same(await page.locator('.actions button').count(), 5, 'nothing is hidden');
    await axe(page, 'what a viewer sees');
    await close(page, (said) => said.includes('401'));
  } finally {
    await server.end();
  }
});
