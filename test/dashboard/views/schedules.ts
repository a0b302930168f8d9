import { expect, it } from 'vitest';
import { type DashboardTests, open, serve, until } from '../context.ts';

export function schedules(tests: DashboardTests): void {
  it('fires, pauses and deletes a schedule, and shows its runs', async () => {
    const { durably, url } = await serve();
    const timezone = 'Asia/Tokyo';
    await durably.schedule({
      id: 'nightly',
      jobName: 'approval',
      input: { document: 'a' },
      cron: '0 3 * * *',
      timezone,
    });
    const page = await open(tests, { url, hash: '#/schedules' });
    const card = page.getByRole('region', { name: 'Schedule nightly' });
    const slots = card.locator('.slots').first().getByText('03:00:00 Asia/Tokyo');
    await expect.poll(() => slots.count()).toBe(5);
    await card.getByRole('button', { name: 'Fire now: nightly' }).click();
    await card.getByText('fired by hand').waitFor();
    expect(await durably.getRuns({ scheduleId: 'nightly' })).toHaveLength(1);
    await card.getByRole('button', { name: 'Pause nightly' }).click();
    await card.getByRole('button', { name: 'Resume nightly' }).waitFor();
    await card.getByRole('button', { name: 'Delete nightly' }).click();
    await page.getByRole('button', { name: 'Delete the schedule' }).click();
    await card.waitFor({ state: 'detached' });
    expect(await durably.getSchedules()).toEqual([]);
  });

  it('the overview shows what fails, the line and the workers', async () => {
    const service = await serve();
    const { durably, url } = service;
    durably.start();
    const { id } = await durably.trigger({ jobName: 'hostile <b>job</b>', input: {} });
    await until(service, id, 'failed');
    const page = await open(tests, { url, hash: '#/overview' });
    await page.getByRole('region', { name: 'Failed last' }).getByText('hostile <b>job</b>').waitFor();
    await page.getByText(/worker_/).waitFor();
    await page.getByText('0 of 20').waitFor();
    expect(await page.locator('.tile').filter({ hasText: 'failed' }).locator('dd').textContent()).toBe('1');
  });
}
