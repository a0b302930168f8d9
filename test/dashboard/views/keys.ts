import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { expect, it } from 'vitest';
import { createDurablyApp } from '../../../src/app/create-app.ts';
import { listen } from '../../support/net/listening.ts';
import { type DashboardTests, open, rowOf, serve } from '../context.ts';

const KEY = 'a-key-of-sixteen-characters';

export function keys(tests: DashboardTests): void {
  it('asks for a key, again after a wrong one, and keeps it out of addresses', async () => {
    const { durably, url } = await serve({ key: KEY });
    const { id } = await durably.trigger({ jobName: 'approval', input: { document: 'a' } });
    const page = await open(tests, { url, allowed: /401/ });
    const addresses: string[] = [];
    page.on('request', (request) => addresses.push(request.url()));
    await page.getByLabel('Key', { exact: true }).fill('a-wrong-key-of-the-reader');
    await page.getByRole('button', { name: 'Use this key' }).click();
    await page.getByText('The service does not know this key').waitFor();
    await page.getByLabel('Key', { exact: true }).fill('日本語の鍵');
    await page.getByRole('button', { name: 'Use this key' }).click();
    await page.getByText('The service does not know this key').waitFor();
    expect(await page.getByText('The service does not answer').count()).toBe(0);
    await page.getByLabel('Key', { exact: true }).fill(KEY);
    await page.getByRole('button', { name: 'Use this key' }).click();
    await rowOf(page, id).waitFor();
    await durably.cancel(id);
    await rowOf(page, id).getByText('cancelled').waitFor();
    await page.reload();
    await rowOf(page, id).waitFor();
    expect(addresses.filter((address) => address.includes('key'))).toEqual([]);
    await page.getByRole('button', { name: 'Forget key' }).click();
    await page.getByText('This service needs a key').waitFor();
  });

  it('has no buttons that change something if it is read only', async () => {
    const { durably, url } = await serve({ app: { dashboard: { readOnly: true } } });
    const { id } = await durably.trigger({ jobName: 'approval', input: { document: 'a' } });
    const page = await open(tests, { url });
    await rowOf(page, id).waitFor();
    expect(await page.getByRole('checkbox').count()).toBe(0);
    await page.goto(`${url}/#/run/${id}`);
    await page.getByText('read only').waitFor();
    await page.getByRole('heading', { name: 'approval' }).waitFor();
    expect(await page.getByRole('toolbar').count()).toBe(0);
    await page.goto(`${url}/#/job/approval`);
    await page.getByRole('heading', { name: 'approval' }).waitFor();
    expect(await page.getByRole('button', { name: 'Trigger' }).count()).toBe(0);
  });

  it('works below a path of another app', async () => {
    const { durably } = await serve();
    const { id } = await durably.trigger({ jobName: 'approval', input: { document: 'a' } });
    const app = new Hono().route(
      '/ops',
      createDurablyApp(durably, { dashboard: true, basePath: '/jobs/v1' }),
    );
    const { url } = await listen(getRequestListener(app.fetch));
    const page = await open(tests, { url, path: '/ops' });
    await rowOf(page, id).waitFor();
  });
}
