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

export function accessibility(tests: DashboardTests): void {
  it('axe finds nothing in any view, in both themes and on a narrow page', async () => {
    const service = await serve();
    const { durably, url } = service;
    durably.start();
    const failed = await durably.trigger({
      jobName: 'charge-card',
      input: { order: 'bad', cents: 5 },
      labels: { org: '1' },
    });
    const done = await durably.trigger({ jobName: 'import-orders', input: { file: 'a.csv', batches: 2 } });
    const waiting = await durably.trigger({ jobName: 'approval', input: { document: 'a' } });
    await until(service, waiting.id, 'waiting');
    await until(service, done.id, 'completed');
    await until(service, failed.id, 'failed');
    const page = await open(tests, { url });
    // Through the browser's own interface, since the page runs no script of others.
    const devTools = await page.context().newCDPSession(page);
    await devTools.send('Page.enable');
    const views = [
      ['runs', 'table'],
      [`run/${failed.id}?step=charge&tab=step`, '.tries'],
      [`run/${done.id}?tab=logs`, '.log-line'],
      [`run/${waiting.id}?tab=events`, '.log-line'],
      ['jobs', 'table'],
      ['job/import-orders', '.trigger-form'],
      ['schedules', '.schedule'],
      ['overview', '.tile'],
    ] as const;
    const found: string[] = [];
    for (const theme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: theme });
      await page.setViewportSize(
        theme === 'light' ? { width: 1280, height: 800 } : { width: 360, height: 740 },
      );
      for (const [hash, ready] of views) {
        await page.goto(`${url}/#/${hash}`);
        await page
          .locator(ready === 'table' ? '[role=table], table' : ready)
          .first()
          .waitFor();
        await devTools.send('Runtime.evaluate', { expression: `globalThis.axe ?? (() => {${AXE}})()` });
        found.push(...(await faultsOf(page)).map((fault) => `${theme} ${hash}: ${fault}`));
      }
    }
    expect(found).toEqual([]);
  });
}
