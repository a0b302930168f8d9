/** npm run screenshots: draws the pictures of the dashboard in docs/screenshots/ anew, from the service with sample jobs. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { launchBrowser } from '../test/dashboard/browser.ts';
import { startSample } from '../test/dashboard/sample-service.ts';

const TARGET = 'docs/screenshots';
const WIDE = { width: 1280, height: 720 };
const NARROW = { width: 360, height: 720 };
const SETTLE_MS = 1500;
const THEMES = ['light', 'dark'] as const;

const folder = mkdtempSync(join(tmpdir(), 'durably-screenshots-'));
mkdirSync(TARGET, { recursive: true });
const { durably, url, stop } = await startSample({ file: join(folder, 'durably.db') });
const browser = await launchBrowser();
try {
  const shown = await seed();
  const run = `#/run/${shown}`;
  const pictures: readonly Picture[] = [
    // First, while the longest run is still at work.
    { name: 'overview', hash: '#/overview', ready: '.tile' },
    { name: 'runs', hash: '#/runs', ready: '[data-run]' },
    { name: 'run', hash: `${run}?step=load+returns&tab=step`, ready: '.tries' },
    { name: 'run-narrow', hash: run, ready: '.lane', size: NARROW },
    { name: 'jobs', hash: '#/jobs', ready: '.jobs .chart-completed' },
    { name: 'trigger', hash: '#/job/import-orders', ready: '.trigger-form' },
    { name: 'schedules', hash: '#/schedules', ready: '.schedule' },
  ];
  for (const picture of pictures) for (const theme of THEMES) await draw(browser, picture, theme);
} finally {
  await browser.close();
  await stop();
  rmSync(folder, { recursive: true });
}

/** Runs of all kinds. Returns the id of one with retries and a wait. */
async function seed(): Promise<string> {
  durably.start();
  const trigger = (jobName: string, input: object, labels: Record<string, string> = {}) =>
    durably.trigger({ jobName, input, labels });
  for (let i = 0; i < 12; i++) {
    await trigger(
      'import-orders',
      { file: `orders-${i}.csv`, batches: 3, pauseMs: 40 },
      { org: String(i % 3) },
    );
  }
  await durably.cancel((await trigger('approval', { document: 'offer.pdf' })).id);
  await trigger('approval', { document: 'contract.pdf' }, { customer: 'ada' });
  await durably.trigger({ jobName: 'monthly-report', input: { month: '2026-12' }, delay: '3h' });
  const report = await trigger('monthly-report', { month: '2026-11', pauseMs: 300 });
  const failed = await trigger('charge-card', { order: 'bad', cents: 4200 }, { org: '1' });
  await trigger('charge-card', { order: '17', cents: 990 }, { org: '2' });
  const timezone = 'America/New_York';
  await durably.schedule({
    id: 'hourly',
    jobName: 'import-orders',
    input: { file: 'hourly.csv' },
    cron: '0 * * * *',
    timezone,
  });
  await durably.fireSchedule('hourly');
  for (const { id } of [report, failed]) await ended(id);
  await trigger('import-orders', { file: 'large.csv', batches: 40, pauseMs: 500 }, { org: '1' });
  return report.id;
}

async function ended(runId: string): Promise<void> {
  const feed = await durably.openRunFeed(runId);
  if (feed.kind !== 'open') return;
  while ((await feed.cursor.next()) !== null);
}

interface Picture {
  readonly name: string;
  readonly hash: string;
  /** What the view has when it is complete. */
  readonly ready: string;
  readonly size?: { readonly width: number; readonly height: number };
}

async function draw(
  drawer: Browser,
  { name, hash, ready, size = WIDE }: Picture,
  theme: (typeof THEMES)[number],
): Promise<void> {
  const page = await drawer.newPage({ viewport: size, colorScheme: theme });
  await page.goto(`${url}/${hash}`);
  await page.locator(ready).first().waitFor({ state: 'attached' });
  // What is read beside it, such as the workers and the charts.
  await page.waitForTimeout(SETTLE_MS);
  await page.screenshot({ path: join(TARGET, `${name}-${theme}.png`) });
  await page.close();
  console.log(`drew ${name}-${theme}.png`);
}
