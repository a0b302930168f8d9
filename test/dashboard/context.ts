import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
import { temporaryFolder } from '../app/temporary.ts';
import { type OpenOptions, openPage } from './opened-page.ts';
import { type SampleOptions, startSample } from './sample-service.ts';

export type Sample = Awaited<ReturnType<typeof startSample>>;

/** What the tests of the views share: one browser. Each test has its own service and database. */
export interface DashboardTests {
  readonly context: () => BrowserContext;
}

/** A service that is stopped after the test. */
export async function serve(
  options: Partial<SampleOptions> = {},
): Promise<Sample & { readonly file: string }> {
  const file = options.file ?? join(await temporaryFolder(), 'durably.db');
  const sample = await startSample({ file, ...options });
  let isStopped = false;
  const stop = async () => {
    if (isStopped) return;
    isStopped = true;
    await sample.stop();
  };
  onTestFinished(stop);
  return { ...sample, stop, file };
}

/** Opens the dashboard. After the test, nothing must have gone wrong in the page. */
export async function open(
  { context }: DashboardTests,
  options: OpenOptions & { readonly allowed?: RegExp },
): Promise<Page> {
  const { page, faults } = await openPage(context(), options);
  onTestFinished(async () => {
    await page.close();
    expect(faults.filter((fault) => !options.allowed?.test(fault))).toEqual([]);
  });
  return page;
}

/** The row of a run in the list. */
export const rowOf = (page: Page, runId: string) => page.locator(`[data-run="${runId}"]`);

/** Waits until a run is in a status. */
export async function until({ durably }: Sample, runId: string, status: string): Promise<void> {
  await expect.poll(async () => (await durably.getRun(runId))?.status, { timeout: 15_000 }).toBe(status);
}
