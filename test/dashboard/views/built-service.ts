import { expect, it } from 'vitest';
import { listening, serve, startCommand } from '../../cli/command.ts';
import { type DashboardTests, open, rowOf } from '../context.ts';

/** The browser itself logs each request that fails. */
const ALLOWED = /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/;

export function builtService(tests: DashboardTests): void {
  it("shows a job of one's own come alive, and goes on when the service was killed and is started again", async () => {
    const env = { DURABLY_STALE_THRESHOLD_MS: '500', DURABLY_HEARTBEAT_INTERVAL_MS: '100' };
    const { folder, served, url: operations } = await serve(env);
    const { origin: url, port } = new URL(operations);
    const list = await open(tests, { url, allowed: ALLOWED });
    const page = await open(tests, { url, hash: '#/job/ask', allowed: ALLOWED });
    await page.getByRole('button', { name: 'Trigger' }).click();
    await page.locator('.run-title').getByText('waiting').waitFor();
    const runId = /run_\w{26}/.exec(page.url())?.[0] ?? '';
    await rowOf(list, runId).getByText('for signal go').waitFor();

    served.process.kill('SIGKILL');
    await served.ended;
    await page.getByText('The service does not answer').waitFor();
    await listening(startCommand(['serve', 'jobs.ts', '-p', port, '-d', 'jobs.db'], { cwd: folder, env }));
    await page.getByText('The service does not answer').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Signal' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Send' }).click();
    await page.locator('.run-title').getByText('completed').waitFor();
    await rowOf(list, runId).getByText('completed').waitFor();
    expect(await page.evaluate(() => performance.getEntriesByType('navigation').length)).toBe(1);
  }, 120_000);
}
