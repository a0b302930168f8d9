import { expect, it } from 'vitest';
import { type DashboardTests, open, rowOf, serve } from '../context.ts';
import { BLANK } from '../opened-page.ts';

/** The browser itself logs each request that fails. */
const ALLOWED = /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|503/;

export function outages(tests: DashboardTests): void {
  it('says that the service is gone, and misses nothing when it is back', async () => {
    const first = await serve();
    const { url, file } = first;
    const port = Number(new URL(url).port);
    const { id } = await first.durably.trigger({ jobName: 'approval', input: { document: 'a' } });
    const list = await open(tests, { url, allowed: ALLOWED });
    const page = await open(tests, { url, hash: `#/run/${id}`, allowed: ALLOWED });
    await rowOf(list, id).waitFor();
    await page.locator('.run-title').getByText('pending').waitFor();
    await first.stop();
    await list.getByText('The service does not answer').waitFor();
    await page.getByText('The service does not answer').waitFor();
    await page.getByRole('button', { name: 'Send signal' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('approved');
    await dialog.getByRole('button', { name: 'Send' }).click();
    const unsure = 'It is not known whether that was done. The service does not answer.';
    await dialog.getByText(unsure).waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();

    // What another process does meanwhile.
    const other = await serve({ file });
    await other.durably.cancel(id);
    const request = { jobName: 'approval', input: { document: 'b' } };
    await other.durably.batchTrigger(Array.from({ length: 150 }, () => request));
    const late = await other.durably.trigger(request);
    await serve({ file, port });
    await rowOf(list, late.id).waitFor();
    const table = list.getByRole('table');
    await expect.poll(() => table.evaluate(({ ariaRowCount }) => ariaRowCount)).toBe('153');
    await table.evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await rowOf(list, id).getByText('cancelled').waitFor();
    await page.locator('.run-title').getByText('cancelled').waitFor();
    await list.getByText('The service does not answer').waitFor({ state: 'detached' });
  });

  it('opens no stream before the page is looked at, and shows what it shows then', async () => {
    const { url, durably } = await serve();
    const page = await open(tests, { url: BLANK, path: '' });
    const streams: string[] = [];
    page.on('request', (request) => {
      if (request.url().includes('/subscribe')) streams.push(request.url());
    });
    await page.addInitScript(() => {
      Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
    });
    const first = await durably.trigger({ jobName: 'approval', input: { document: 'a' } });
    await page.goto(`${url}/`);
    await rowOf(page, first.id).waitFor();
    const second = await durably.trigger({ jobName: 'approval', input: { document: 'b' } });
    expect(streams).toEqual([]);
    await page.evaluate(() => {
      Object.defineProperty(document, 'visibilityState', { value: 'visible' });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await rowOf(page, second.id).waitFor();
    expect(streams).toHaveLength(1);
  });

  it('offers to try again what could not be read', async () => {
    const { url, durably } = await serve();
    const { id } = await durably.trigger({ jobName: 'approval', input: { document: 'a' } });
    const page = await open(tests, { url, hash: '#/schedules', allowed: /500/ });
    await page.getByRole('heading', { name: 'Schedules' }).waitFor();
    const broken = { status: 500, contentType: 'text/plain', body: 'oops' };
    // When its stream opens, the list would be read by itself.
    await page.route('**/runs/subscribe*', (route) => route.fulfill(broken));
    await page.route('**/runs?*', (route) => route.fulfill(broken));
    await page.getByRole('link', { name: 'Runs', exact: true }).click();
    await page.getByText('The runs could not be read.').waitFor();
    await page.unroute('**/runs?*');
    await page.getByRole('button', { name: 'Try again' }).click();
    await rowOf(page, id).waitFor();
  });

  it('reads the list by itself as soon as it can', async () => {
    const { url, durably } = await serve();
    const { id } = await durably.trigger({ jobName: 'approval', input: { document: 'a' } });
    const page = await open(tests, { url: BLANK, path: '', allowed: /500|Failed to load/ });
    const isBroken = /\/runs(\/subscribe)?(\?|$)/;
    await page.route(isBroken, (route) =>
      route.fulfill({ status: 500, contentType: 'text/plain', body: 'oops' }),
    );
    await page.goto(`${url}/`);
    await page.getByText('The runs could not be read.').waitFor();
    await page.unroute(isBroken);
    await rowOf(page, id).waitFor();
  });
}
