import { expect, it } from 'vitest';
import { type DashboardTests, open, serve, until } from '../context.ts';

export function jobs(tests: DashboardTests): void {
  it('triggers a run by a form that is made from the schema, with messages beside the fields', async () => {
    const { durably, url } = await serve();
    const page = await open(tests, { url, hash: '#/jobs' });
    await page.getByRole('link', { name: 'Trigger import-orders' }).click();
    await page.getByRole('button', { name: 'Trigger', exact: true }).click();
    const fieldOf = (name: string) => page.locator('.field', { has: page.getByLabel(name) });
    await fieldOf('file').getByText('Is required').waitFor();
    expect(await durably.getRuns()).toEqual([]);
    await page.getByLabel('file').fill('a.csv');
    await page.getByLabel('batches').fill('0');
    await page.getByLabel('city').fill('Ulm');
    await page.getByLabel('zip').fill('x');
    await page.getByRole('button', { name: 'Trigger', exact: true }).click();
    await fieldOf('batches').getByText('Must be at least 1').waitFor();
    await fieldOf('zip').getByText('Must match').waitFor();
    await page.getByLabel('batches').fill('2');
    await page.getByLabel('zip').fill('89073');
    await page.getByLabel('mode').selectOption('replace');
    await page.getByLabel('notify').fill('ada\ngrace');
    await page.getByText('Options').click();
    await page.getByLabel('Labels').fill('org=7');
    await page.getByText('"notify":["ada","grace"]').waitFor();
    await page.getByRole('button', { name: 'Trigger', exact: true }).click();
    await page.waitForURL('**/#/run/*');
    const [run] = await durably.getRuns();
    expect(run).toMatchObject({
      payload: {
        file: 'a.csv',
        batches: 2,
        mode: 'replace',
        notify: ['ada', 'grace'],
        address: { city: 'Ulm', zip: '89073' },
      },
      labels: { org: '7' },
    });
  });

  it('triggers a run with an empty list and with null', async () => {
    const { durably, url } = await serve();
    const page = await open(tests, { url, hash: '#/job/ask-around' });
    await page.getByLabel('until is null').check();
    await page.getByText('Options').click();
    await page.getByLabel('Priority').fill('high');
    await page.getByRole('button', { name: 'Trigger', exact: true }).click();
    await page.getByText('Must be a whole number').waitFor();
    await page.getByLabel('Priority').fill('7');
    await page.getByRole('button', { name: 'Trigger', exact: true }).click();
    await page.waitForURL('**/#/run/*');
    expect((await durably.getRuns())[0]?.payload).toEqual({ documents: [], until: null });
  });

  it('shows what the service refuses beside its field', async () => {
    const { url } = await serve();
    const page = await open(tests, { url, hash: '#/job/approval', allowed: /400/ });
    await page.getByLabel('document').fill('a.pdf');
    await page.getByText('Options').click();
    await page.getByLabel('Delay').fill('soon');
    await page.getByRole('button', { name: 'Trigger', exact: true }).click();
    await page.getByText('No run was triggered.').waitFor();
    await page
      .locator('.field', { has: page.getByLabel('Delay') })
      .locator('.field-error')
      .waitFor();
  });

  it('shows counts and pauses a job', async () => {
    const service = await serve();
    const { durably, url } = service;
    durably.start();
    const { id } = await durably.trigger({ jobName: 'approval', input: { document: 'a' } });
    await until(service, id, 'waiting');
    const page = await open(tests, { url, hash: '#/jobs' });
    await page.getByRole('link', { name: '1 waiting runs of approval' }).waitFor();
    await page.getByRole('button', { name: 'Pause approval' }).click();
    await page.getByRole('row', { name: /^approval paused/ }).waitFor();
    const [paused] = await durably.getJobs({ jobName: 'approval' });
    expect(paused?.paused).toBe(true);
    await page.getByRole('button', { name: 'Resume approval' }).click();
    await page.getByRole('button', { name: 'Pause approval' }).waitFor();
  });
}
