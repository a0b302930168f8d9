import { expect, it } from 'vitest';
import { type DashboardTests, open, type Sample, serve, until } from '../context.ts';

/** What a run was triggered with, besides its input. */
const optionsOf = async ({ db }: Sample['durably'], id = '') =>
  await db
    .selectFrom('durably_runs')
    .select(['labels', 'concurrency_key', 'priority', 'ttl_ms', 'timeout_ms'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow();

export function runCommands(tests: DashboardTests): void {
  it('runs a delayed run now, sends it a signal, and deletes it', async () => {
    const service = await serve();
    const { durably, url } = service;
    durably.start();
    const request = { jobName: 'approval', input: { document: 'a' }, delay: '1h' } as const;
    const { id } = await durably.trigger(request);
    const page = await open(tests, { url, hash: `#/run/${id}` });
    await page.getByRole('button', { name: 'Run now' }).click();
    await page.getByText('for signal approved').waitFor();
    await page.getByRole('button', { name: 'Send signal' }).click();
    const dialog = page.getByRole('dialog');
    expect(await dialog.getByLabel('Name').inputValue()).toBe('approved');
    await dialog.getByLabel('Payload').fill('{"ok": tru');
    await dialog.locator('.field-error').waitFor();
    await dialog.getByLabel('Payload').fill('{"ok": true}');
    await dialog.getByRole('button', { name: 'Send' }).click();
    await until(service, id, 'completed');
    expect((await durably.getRun(id))?.output).toEqual({ document: 'a', answer: { ok: true } });
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('button', { name: 'Delete the run' }).click();
    await page.waitForURL('**/#/runs');
    expect(await durably.getRun(id)).toBeNull();
  });

  it('cancels and retries a run', async () => {
    const service = await serve();
    const { durably, url } = service;
    const { id } = await durably.trigger({ jobName: 'approval', input: { document: 'a' } });
    const page = await open(tests, { url, hash: `#/run/${id}` });
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Cancel the run' }).click();
    await page.locator('.run-title').getByText('cancelled').waitFor();
    await page.getByRole('button', { name: 'Retry' }).click();
    await page.locator('.run-title').getByText('pending').waitFor();
    await until(service, id, 'pending');
  });

  it('keeps the focus in a dialog after a refusal, and the page below it from the keys', async () => {
    const { durably, url } = await serve();
    const { id } = await durably.trigger({ jobName: 'approval', input: { document: 'a' } });
    const page = await open(tests, { url, hash: `#/run/${id}`, allowed: /400/ });
    const dialog = page.getByRole('dialog');
    const isInDialog = () => page.evaluate(() => document.activeElement?.closest('dialog') !== null);
    await page.getByRole('button', { name: 'Retrigger' }).click();
    await dialog.getByLabel('Input').fill('"bad"');
    await dialog.getByRole('button', { name: 'Trigger' }).click();
    await dialog.getByRole('alert').waitFor();
    expect(await isInDialog()).toBe(true);
    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await page.keyboard.press('2');
    expect(new URL(page.url()).hash).toBe(`#/run/${id}`);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect(new URL(page.url()).hash).toBe(`#/run/${id}`);

    await page.getByRole('button', { name: 'Send signal' }).click();
    await dialog.getByLabel('Name').fill('approved');
    await dialog.getByLabel('Payload').fill('{oops');
    await dialog.getByRole('button', { name: 'Send' }).click();
    await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe('TEXTAREA');
    expect(await dialog.locator('.field-error').count()).toBe(1);
    expect(await dialog.getByRole('alert').count()).toBe(0);
  });

  it('triggers a run again with another input, and forks it from a step', async () => {
    const service = await serve();
    const { durably, url } = service;
    durably.start();
    const labels = { org: '1' };
    const { id } = await durably.trigger({
      jobName: 'charge-card',
      input: { order: 'bad', cents: 5 },
      labels,
      concurrencyKey: 'orders',
      priority: 7,
      timeout: '1h',
      ttl: '1h',
    });
    await until(service, id, 'failed');
    const page = await open(tests, { url, hash: `#/run/${id}?step=charge&tab=step` });
    await page.getByRole('button', { name: 'Retrigger' }).click();
    await page.getByLabel('Input').fill('{"order": "17", "cents": 7}');
    await page.getByRole('button', { name: 'Trigger', exact: true }).click();
    await page.locator('.run-title').getByText('completed').waitFor();
    const [again] = await durably.getRuns({ limit: 1 });
    expect(again).toMatchObject({ payload: { order: '17', cents: 7 }, labels });
    // As `/retrigger` makes it, but for the input.
    const same = await durably.retrigger(id);
    expect(await optionsOf(durably, again?.id)).toEqual(await optionsOf(durably, same.id));
    await durably.cancel(same.id).catch(() => undefined);

    await page.goto(`${url}/#/run/${id}?step=charge&tab=step`);
    await page.getByRole('button', { name: 'Fork from step' }).click();
    await page.getByLabel('Input').fill('{"order": "18", "cents": 7}');
    await page.getByRole('button', { name: 'Fork', exact: true }).click();
    await page.locator('.run-title').getByText('completed').waitFor();
    const [forked] = await durably.getRuns({ limit: 1 });
    const [reserved, charged] = await durably.getSteps(forked?.id ?? '');
    expect(reserved?.output).toEqual({ reservation: 'r-bad' });
    expect(charged?.output).toEqual({ receipt: '18-2' });
  });
}
