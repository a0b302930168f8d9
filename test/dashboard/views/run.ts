import { createClient } from '@libsql/client';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import type { Page } from 'playwright-core';
import { expect, it, onTestFinished } from 'vitest';
import { createCodec } from '../../../src/crypto.ts';
import { createDurably } from '../../../src/index.ts';
import { type DashboardTests, open, serve, until } from '../context.ts';
import { BLANK } from '../opened-page.ts';
import { HOSTILE, sampleJobs } from '../sample-jobs.ts';

/** Notes in the page how many streams it has held at once. */
function countStreams(): void {
  const page = globalThis as typeof globalThis & { mostStreams?: number };
  const send = page.fetch;
  let held = 0;
  page.fetch = async (input, init) => {
    const request = new Request(input, init);
    if (request.url.includes('/subscribe')) {
      held++;
      page.mostStreams = Math.max(page.mostStreams ?? 0, held);
      request.signal.addEventListener('abort', () => {
        held--;
      });
    }
    return await send(request);
  };
}

/** The texts with a sign that turns the direction of what stands after them, and that have elements in common with other texts. */
async function leakingTexts(page: Page): Promise<string[]> {
  return await page.evaluate(() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const leaking: string[] = [];
    while (walker.nextNode()) {
      const { textContent, parentElement } = walker.currentNode;
      if (!textContent?.includes('\u202e') || parentElement === null) continue;
      const { unicodeBidi, display } = getComputedStyle(parentElement);
      const isIsolated =
        unicodeBidi.startsWith('isolate') || unicodeBidi === 'plaintext' || display !== 'inline';
      if (!isIsolated || parentElement.childNodes.length > 1)
        leaking.push(parentElement.outerHTML.slice(0, 200));
    }
    return leaking;
  });
}

export function run(tests: DashboardTests): void {
  it('shows the tries of a step with their errors, and the error with its stack and cause', async () => {
    const service = await serve();
    const { durably, url } = service;
    durably.start();
    const { id } = await durably.trigger({ jobName: 'charge-card', input: { order: 'bad', cents: 5 } });
    await until(service, id, 'failed');
    const page = await open(tests, { url, hash: `#/run/${id}` });
    const timeline = page.getByRole('region', { name: 'Timeline' });
    await timeline.getByRole('button', { name: /^charge / }).click();
    await page.getByRole('tab', { name: 'Step charge', selected: true }).waitFor();
    expect(await page.locator('.tries tbody tr').filter({ hasText: 'The bank did not answer' }).count()).toBe(
      6,
    );
    await page.getByText('connect ECONNREFUSED 10.0.0.7:443').waitFor();
    await page.getByRole('heading', { name: 'Caused by' }).waitFor();
    // Both attempts of the run, and its wait between them.
    const bars = timeline.locator('.is-run .bar-shape');
    expect(await bars.evaluateAll((all) => all.map((bar) => bar.className.split(' ')[1]))).toEqual(
      expect.arrayContaining(['is-attempt', 'is-wait', 'is-attempt']),
    );
  });

  it('grows while the run goes on, and follows its log lines', async () => {
    const { durably, url } = await serve();
    const input = { file: 'a.csv', batches: 30, pauseMs: 40 };
    const { id } = await durably.trigger({ jobName: 'import-orders', input });
    const page = await open(tests, { url, hash: `#/run/${id}?tab=logs` });
    await page.getByText('pending').first().waitFor();
    durably.start();
    await page.getByRole('button', { name: /^batch 3 / }).waitFor();
    await page.getByText('batch 30: 0 rows were rejected').waitFor();
    await page.locator('.run-title').getByText('completed').waitFor();
    await page.getByLabel('Least level').selectOption('warn');
    await page.getByText('15 lines').waitFor();
    await page.getByLabel('Find in log lines').fill('batch 29');
    await page.getByText('1 lines').waitFor();
    await page
      .getByRole('button', { name: /batch 29/ })
      .last()
      .click();
    await page.locator('.inspector').getByText('imported').waitFor();
  });

  it('shows waits, and links to the runs that it has started', async () => {
    const service = await serve();
    const { durably, url } = service;
    durably.start();
    const { id } = await durably.trigger({ jobName: 'monthly-report', input: { month: '2026-11' } });
    await until(service, id, 'completed');
    const page = await open(tests, { url, hash: `#/run/${id}` });
    await expect.poll(() => page.locator('.lane:not(.is-run):has(.is-wait)').count()).toBe(2);
    await page.getByRole('tab', { name: 'Children' }).click();
    await page.getByRole('cell', { name: 'import-orders' }).waitFor();
    await page.getByRole('button', { name: 'Steps of the run of import the rest' }).click();
    await page.getByRole('button', { name: /^batch 2 / }).waitFor();
    await page.locator('.lane-child a').click();
    await page.getByRole('heading', { name: 'import-orders' }).waitFor();
  });

  it('follows two of the runs that are unfolded at once, and each of them in turn', async () => {
    const service = await serve();
    const { durably, url } = service;
    durably.start();
    const documents = ['a', 'b', 'c'];
    const { id } = await durably.trigger({ jobName: 'ask-around', input: { documents } });
    await until(service, id, 'waiting');
    const children = await durably.getRuns({ parentRunId: id });
    expect(children).toHaveLength(3);
    const page = await open(tests, { url: BLANK, path: '' });
    await page.addInitScript(countStreams);
    await page.goto(`${url}/#/run/${id}`);
    for (const document of documents) {
      await page.getByRole('button', { name: `Steps of the run of ask about ${document}` }).click();
    }
    await expect.poll(() => page.getByRole('button', { name: /^prepare / }).count()).toBe(3);
    for (const child of children) await durably.signal(child.id, 'approved', true);
    await until(service, id, 'completed');
    // The wait of each has ended, also of the one whose turn it was not.
    const waits = page.getByRole('button', { name: /^approved.*completed/ });
    await expect.poll(() => waits.count(), { timeout: 20_000 }).toBe(3);
    // That of the page's own run is the third.
    expect(await page.evaluate(() => (globalThis as { mostStreams?: number }).mostStreams)).toBe(3);
  });

  it('says of a value that this service has no key for that it is encrypted', async () => {
    const { durably, url, file } = await serve();
    const dialect = new LibsqlDialect({ client: createClient({ url: `file:${file}` }) });
    const codec = createCodec({ keys: { a: Buffer.alloc(32, 7).toString('base64') }, current: 'a' });
    const other = createDurably({ dialect, jobs: sampleJobs, use: [codec] });
    onTestFinished(() => other.stop());
    const { id } = await other.trigger({ jobName: 'approval', input: { document: 'the secret' } });
    expect((await durably.getRun(id))?.payload).toBe('[encrypted]');
    const page = await open(tests, { url, hash: `#/run/${id}` });
    await page.locator('.json .json-null').getByText('encrypted').waitFor();
    expect(await page.content()).not.toContain('the secret');
  });

  it('draws the rows in sight of a run with 5,000 steps and 5,000 log lines', async () => {
    const { durably, url } = await serve();
    durably.start();
    const { id } = await durably.jobs.large.triggerAndWait({
      steps: 5000,
      lines: 5000,
      outputBytes: 200_000,
    });
    const page = await open(tests, { url, hash: `#/run/${id}?tab=logs` });
    await page.getByRole('tab', { name: /Logs.*5,000/ }).waitFor({ timeout: 60_000 });
    await page.getByText('5,000 steps').waitFor();
    expect(await page.locator('.lane').count()).toBeLessThan(60);
    expect(await page.locator('.log-line').count()).toBeLessThan(70);
    await page.getByRole('tab', { name: 'Run' }).click();
    await page.getByText('2000 items').waitFor();
    await page.getByLabel('Find in output').fill('1999');
    await page.locator('.json .is-shown').getByText('1999').waitFor();
  }, 90_000);

  it('takes no text for markup', async () => {
    const service = await serve();
    const { durably, url } = service;
    durably.start();
    const labels = { org: HOSTILE };
    const { id } = await durably.trigger({
      jobName: 'hostile <b>job</b>',
      input: { [HOSTILE]: HOSTILE },
      labels,
    });
    await until(service, id, 'failed');
    const page = await open(tests, { url });
    await page.locator('.c-job').getByText('hostile <b>job</b>').waitFor();
    const leaking = await leakingTexts(page);
    for (const tab of ['run', 'step', 'logs', 'events']) {
      const params = new URLSearchParams({ tab, step: HOSTILE });
      await page.goto(`${url}/#/run/${id}?${params}`);
      await page.locator('.panel').getByText('<script>').first().waitFor();
      leaking.push(...(await leakingTexts(page)));
    }
    await page.goto(`${url}/#/job/${encodeURIComponent('hostile <b>job</b>')}`);
    await page.getByLabel(HOSTILE).waitFor();
    leaking.push(...(await leakingTexts(page)));
    expect(leaking).toEqual([]);
    expect(await page.evaluate(() => 'hacked' in globalThis)).toBe(false);
    expect(await page.locator('main img, main script').count()).toBe(0);
  });

  it('says so if there is no such run', async () => {
    const { url } = await serve();
    const allowed = /404/;
    const page = await open(tests, { url, hash: '#/run/run_unknown', allowed });
    await page.getByText('There is no such run').waitFor();
  });
}
