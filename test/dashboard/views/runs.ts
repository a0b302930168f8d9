import { expect, it } from 'vitest';
import { type DashboardTests, open, rowOf, serve, until } from '../context.ts';

const DELAYED = { delay: '1h' } as const;

export function runs(tests: DashboardTests): void {
  it('shows new runs and their changes as they happen, also those of another process', async () => {
    const { durably, url, file } = await serve();
    const page = await open(tests, { url });
    await page.getByText('No runs yet').waitFor();
    const waiting = await durably.trigger({ jobName: 'approval', input: { document: 'a.pdf' } });
    await rowOf(page, waiting.id).getByText('pending').waitFor();
    durably.start();
    await rowOf(page, waiting.id).getByText('for signal approved').waitFor();
    const other = await serve({ file });
    await other.durably.cancel(waiting.id);
    await rowOf(page, waiting.id).getByText('cancelled').waitFor();
    const late = await other.durably.trigger({
      jobName: 'approval',
      input: { document: 'b.pdf' },
      ...DELAYED,
    });
    await rowOf(page, late.id).getByText('to start for 59m').waitFor();
  });

  it('narrows the list by status, job, label and text, all of which stand in the address', async () => {
    const { durably, url } = await serve();
    const inputOf = (file: string) => ({ jobName: 'import-orders', input: { file } });
    const one = await durably.trigger({ ...inputOf('one.csv'), labels: { org: '1' }, ...DELAYED });
    const two = await durably.trigger({ ...inputOf('two.csv'), labels: { org: '2' }, ...DELAYED });
    const other = await durably.trigger({ jobName: 'approval', input: { document: 'x' } });
    const page = await open(tests, { url });
    await rowOf(page, other.id).waitFor();
    await page.getByRole('button', { name: 'waiting' }).click();
    await rowOf(page, other.id).waitFor({ state: 'detached' });
    await page.getByLabel('Search runs').fill('two.csv');
    await rowOf(page, one.id).waitFor({ state: 'detached' });
    expect(await rowOf(page, two.id).count()).toBe(1);
    await page.waitForURL('**/#/runs?status=waiting&q=two.csv');
    await page.getByLabel('Search runs').fill('');
    await rowOf(page, one.id).waitFor();
    await page.getByLabel('Job', { exact: true }).selectOption('import-orders');
    await page.getByLabel('Filter by label').fill('org=1');
    await page.keyboard.press('Enter');
    await rowOf(page, two.id).waitFor({ state: 'detached' });
    await page.reload();
    await rowOf(page, one.id).waitFor();
    expect(await rowOf(page, two.id).count()).toBe(0);
  });

  it('cancels, retries and deletes the selected runs, after it has asked', async () => {
    const service = await serve();
    const { durably, url } = service;
    const ids: string[] = [];
    for (const document of ['a', 'b', 'c']) {
      ids.push((await durably.trigger({ jobName: 'approval', input: { document }, ...DELAYED })).id);
    }
    const [first = '', second = ''] = ids;
    const page = await open(tests, { url });
    await rowOf(page, first).getByRole('checkbox').check();
    await rowOf(page, second).getByRole('checkbox').check();
    const bar = page.getByRole('toolbar', { name: 'Commands for the selected runs' });
    await bar.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel 2 runs' }).click();
    await rowOf(page, first).getByText('cancelled').waitFor();
    await rowOf(page, second).getByText('cancelled').waitFor();

    await rowOf(page, first).getByRole('checkbox').check();
    await bar.getByRole('button', { name: 'Retry' }).click();
    await page.getByRole('button', { name: 'Retry 1 run' }).click();
    await rowOf(page, first).getByText('pending').waitFor();

    await page.getByLabel('Select all that are shown').check();
    await bar.getByRole('button', { name: 'Delete 1' }).click();
    await page.getByRole('button', { name: 'Delete 1 run' }).click();
    await rowOf(page, second).waitFor({ state: 'detached' });
    expect(await durably.getRun(second)).toBeNull();
  });

  it('draws the rows in sight alone, and holds new runs back while one reads further down', async () => {
    const { durably, url } = await serve();
    const request = { jobName: 'approval', input: { document: 'x' }, ...DELAYED };
    for (let i = 0; i < 3; i++) await durably.batchTrigger(Array.from({ length: 100 }, () => request));
    const page = await open(tests, { url });
    const oldest = (await durably.getRuns({ limit: 300 })).at(-1)?.id ?? '';
    const list = page.locator('.runs .virtual');
    await list.waitFor();
    await expect
      .poll(async () => {
        await list.evaluate((element) => element.scrollTo(0, element.scrollHeight));
        return await rowOf(page, oldest).count();
      })
      .toBe(1);
    expect(await page.locator('[data-run]').count()).toBeLessThan(70);
    const place = await list.evaluate((element) => element.scrollTop);
    const fresh = await durably.trigger(request);
    await page.getByRole('button', { name: '1 new' }).waitFor();
    expect(await list.evaluate((element) => element.scrollTop)).toBe(place);
    await page.getByRole('button', { name: '1 new' }).click();
    await rowOf(page, fresh.id).waitFor();
  });

  it('shows all runs of a burst, and stays at the row that the keyboard is at', async () => {
    const { durably, url } = await serve();
    const request = { jobName: 'approval', input: { document: 'x' }, ...DELAYED };
    const first = await durably.trigger(request);
    const page = await open(tests, { url });
    await rowOf(page, first.id).waitFor();
    await page.keyboard.press('j');
    await durably.batchTrigger(Array.from({ length: 500 }, () => request));
    const table = page.getByRole('table');
    await expect.poll(() => table.evaluate(({ ariaRowCount }) => ariaRowCount)).toBe('502');
    await page.getByLabel('Select all that are shown').check();
    await page.getByText('501 selected').waitFor();
    expect(await page.locator('[data-run].is-current').getAttribute('data-run')).toBe(first.id);
  });

  it('is used by the keyboard', async () => {
    const service = await serve();
    const { durably, url } = service;
    await durably.trigger({ jobName: 'approval', input: { document: 'a' } });
    const second = await durably.trigger({ jobName: 'approval', input: { document: 'b' } });
    durably.start();
    await until(service, second.id, 'waiting');
    const page = await open(tests, { url });
    await rowOf(page, second.id).waitFor();
    await page.keyboard.press('/');
    expect(
      await page.getByLabel('Search runs').evaluate((element) => element === document.activeElement),
    ).toBe(true);
    await page.keyboard.press('Escape');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'approval' }).waitFor();
    await page.waitForURL(`**/#/run/${second.id}`);
    await page.keyboard.press('Escape');
    await rowOf(page, second.id).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('2');
    await page.getByRole('heading', { name: 'Jobs' }).waitFor();
  });
}
