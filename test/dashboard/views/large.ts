import { expect, it } from 'vitest';
import { type DashboardTests, open, rowOf, serve } from '../context.ts';

/** More rows than are ever drawn, and far fewer than there are. */
const MOST_DRAWN = 150;
const BATCH = 1_000;

export function large(tests: DashboardTests): void {
  it('draws what is in sight of 10,000 runs, and comes to the last one page by page', async () => {
    const { durably, url } = await serve();
    const request = { jobName: 'approval', input: { document: 'a.pdf' }, delay: '1h' } as const;
    const oldest = await durably.trigger(request);
    for (let stored = 0; stored < 10_000; stored += BATCH) {
      await durably.batchTrigger(Array.from({ length: BATCH }, () => request));
    }
    const page = await open(tests, { url });
    const rows = page.locator('[data-run]');
    await rows.first().waitFor();
    const scroller = page.locator('.runs .virtual');
    await expect
      .poll(
        async () => {
          await scroller.evaluate((element) => element.scrollTo(0, element.scrollHeight));
          expect(await rows.count()).toBeLessThan(MOST_DRAWN);
          return await rowOf(page, oldest.id).count();
        },
        { timeout: 60_000, interval: 20 },
      )
      .toBe(1);
  }, 90_000);
}
