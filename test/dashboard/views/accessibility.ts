import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { type DashboardTests, open, serve, until } from '../context.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** What axe finds in the page. */
async function faultsOf(page: Page): Promise<string[]> {
  return await page.evaluate(async (tags) => {
    const { axe } = globalThis as unknown as {
      axe: { run(context: Document, options: object): Promise<AxeResults> };
    };
    const { violations } = await axe.run(document, { runOnly: tags });
    return violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`,
    );
  }, TAGS);
}

/** Whether the page itself can be scrolled sideways. What is wider than a telephone scrolls in a frame of its own. */
async function isWide(page: Page): Promise<boolean> {
  return await page.evaluate(() => {
    scrollTo(9999, 0);
    return scrollX > 0 || (document.scrollingElement?.scrollWidth ?? 0) > innerWidth;
  });
}

/** A service with something to show in each view. */
async function furnished() {
  const service = await serve();
  const { durably, url } = service;
  const approval = { jobName: 'approval', input: { document: 'a' } };
  await durably.batchTrigger(Array.from({ length: 1000 }, () => ({ ...approval, delay: '1h' as const })));
  durably.start();
  const charge = async (order: string) =>
    await durably.trigger({ jobName: 'charge-card', input: { order, cents: 5 }, labels: { org: '1' } });
  const [failed, endless] = [await charge('bad'), await charge('endless')];
  const done = await durably.trigger({ jobName: 'import-orders', input: { file: 'a.csv', batches: 2 } });
  const slow = { file: 'b.csv', batches: 500, pauseMs: 200 };
  const live = await durably.trigger({ jobName: 'import-orders', input: slow });
  const waiting = await durably.trigger(approval);
  const parent = await durably.trigger({ jobName: 'ask-around', input: { documents: ['a', 'b'] } });
  await durably.schedule({ ...approval, id: 'nightly', cron: '0 3 * * *', timezone: 'Asia/Tokyo' });
  for (let i = 0; i < 3; i++) await durably.fireSchedule('nightly');
  await until(service, waiting.id, 'waiting');
  await until(service, parent.id, 'waiting');
  await until(service, done.id, 'completed');
  await until(service, failed.id, 'failed');
  await until(service, endless.id, 'failed');
  const views = [
    ['runs', '[role=table]'],
    ['runs?status=failed&label=org%3D1', '[role=table]'],
    [`run/${failed.id}?step=charge&tab=step`, '.tries'],
    [`run/${endless.id}`, '.run-error'],
    [`run/${done.id}`, '.json-key'],
    [`run/${done.id}?tab=logs`, '.log-line'],
    [`run/${live.id}?tab=logs`, '.log-line'],
    [`run/${waiting.id}?tab=events`, '.log-line'],
    [`run/${parent.id}?tab=children`, '.panel table'],
    ['run/run_unknown', '.empty'],
    ['jobs', '.count'],
    ['job/ask-around', '.trigger-form'],
    ['job/unknown', '.empty'],
    ['schedules', '.slots a'],
    ['overview', '.recent a'],
  ] as const;
  return { url, views };
}

export function accessibility(tests: DashboardTests): void {
  it('axe finds nothing in any view, in both themes, and no view scrolls sideways on a narrow page', async () => {
    const { url, views } = await furnished();
    const page = await open(tests, { url, allowed: /404/ });
    // Through the browser's own interface, since the page runs no script of others.
    const devTools = await page.context().newCDPSession(page);
    await devTools.send('Page.enable');
    const found: string[] = [];
    for (const theme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: theme });
      const isNarrow = theme === 'dark';
      await page.setViewportSize(isNarrow ? { width: 360, height: 740 } : { width: 1280, height: 800 });
      for (const [hash, ready] of views) {
        await page.goto(`${url}/#/${hash}`);
        await page.locator(ready).first().waitFor();
        await devTools.send('Runtime.evaluate', { expression: `globalThis.axe ?? (() => {${AXE}})()` });
        found.push(...(await faultsOf(page)).map((fault) => `${theme} ${hash}: ${fault}`));
        if (isNarrow && (await isWide(page))) found.push(`${hash} scrolls sideways`);
      }
    }
    expect(found).toEqual([]);
  }, 180_000);
}
