import { expect, test, vi } from 'vitest';
import { createDurably } from '../../src/index.ts';
import { openDatabase } from '../../src/sqlite.ts';
import { job } from '../support/jobs.ts';
import { eventually } from './support/eventually.ts';
import { type Fleet, withFleet } from './support/fleet.ts';
import { openStream } from './support/raw-stream.ts';

vi.setConfig({ testTimeout: 120_000 });

/** The heap. Each test stores more than twice as much. */
const HEAP_MB = 96;
const MB = 1024 * 1024;
const RESULTS = 40;
const RESULT_BYTES = 2 * MB;
const RUNS = 120;
const RUN_BYTES = MB;

const SMALL_HEAP = { NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` };

/** Reads an answer without keeping it, and returns its length. */
async function lengthOf(url: string): Promise<number> {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  let length = 0;
  for await (const bytes of response.body ?? []) length += bytes.length;
  return length;
}

/** Triggers runs of a job that the service does not know, so they stay pending. */
async function storeRuns(fleet: Fleet): Promise<void> {
  const database = await openDatabase({ url: `file:${fleet.database}` });
  const durably = createDurably({
    dialect: database.dialect,
    jobs: { archived: job('archived', () => null) },
  });
  await durably.migrate();
  const input = 'p'.repeat(RUN_BYTES);
  for (let i = 0; i < RUNS; i++) await durably.jobs.archived.trigger(input);
  await durably.db.destroy();
  await database.close();
}

/** Runs, log lines and steps whose texts have the maximum length, with data small enough for a page. */
async function storeTexts(fleet: Fleet): Promise<{ logs: string; steps: string }> {
  const database = await openDatabase({ url: `file:${fleet.database}` });
  const text = 't'.repeat(16 * 1024);
  const jobs = {
    wordy: job('wordy', (step) => {
      for (let i = 0; i < 200; i++) step.log.info(text, 'd'.repeat(8000));
    }),
    failing: job('failing', async (step) => {
      for (let i = 0; i < 200; i++) await step.run(`${i}`, () => raise(text)).catch(() => undefined);
    }),
    flawed: job('flawed', (step) => {
      step.progress(1, 2, text);
      raise(text);
    }),
  };
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const durably = createDurably({
    dialect: database.dialect,
    jobs,
    logger: silent,
    maxConcurrentRuns: 10,
  });
  await durably.init();
  const labels = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`label.${i}`, 'あ'.repeat(256)]));
  const { id: logs } = await durably.jobs.wordy.triggerAndWait(0);
  const { id: steps } = await durably.jobs.failing.triggerAndWait(0);
  const input = 'p'.repeat(7 * 1024);
  const flawed = Array.from({ length: 100 }, () =>
    durably.jobs.flawed.triggerAndWait(input, { labels }).catch(() => undefined),
  );
  await Promise.all(flawed);
  await durably.stop();
  await durably.db.destroy();
  await database.close();
  return { logs, steps };
}

function raise(message: string): never {
  throw new Error(message);
}

async function storeResults(
  fleet: Fleet,
): Promise<{ base: string; runId: string; untilCompleted: () => Promise<void> }> {
  const service = await fleet.start(SMALL_HEAP);
  const api = fleet.api(service);
  const input = { results: RESULTS, bytes: RESULT_BYTES, failsFirst: true };
  const runId = await api.triggered({ jobName: 'large', input });
  const untilStatus = async (status: string) => {
    await eventually(
      `the run to be ${status}`,
      async () => {
        expect(service.isAlive, service.log).toBe(true);
        const [run] = (await (await fetch(`${api.base}/runs?fields=status`)).json()) as { status: string }[];
        return run?.status === status;
      },
      { withinMs: 60_000, everyMs: 50 },
    );
  };
  await untilStatus('failed');
  return { base: api.base, runId, untilCompleted: () => untilStatus('completed') };
}

test('three concurrent lists that are larger than the heap are answered in full', async () => {
  await withFleet({}, async (fleet) => {
    await storeRuns(fleet);
    const service = await fleet.start(SMALL_HEAP);
    const url = `${fleet.api(service).base}/runs?limit=500`;
    const lengths = await Promise.all([url, url, url].map(lengthOf));
    for (const length of lengths) expect(length).toBeGreaterThan(RUNS * RUN_BYTES);
    // Without large fields the list is short.
    expect(await lengthOf(`${url}&fields=id,status`)).toBeLessThan(RUNS * 100);
    expect(service.isAlive).toBe(true);
  });
});

test('a run whose results are larger than the heap can be read, streamed and resumed', async () => {
  await withFleet({ DURABLY_STALE_THRESHOLD_MS: 30_000 }, async (fleet) => {
    const { base, runId, untilCompleted } = await storeResults(fleet);
    const urls = ['steps', 'logs', 'subscribe'].map((name) => `${base}/${name}?runId=${runId}&limit=1000`);
    const [steps, logs, stream] = urls.map((url) => url.replace(/&limit.*/, '')) as [string, string, string];
    // A stalled reader holds one portion.
    const stalled = await Promise.all([steps, stream, stream, stream].map(openStream));
    for (const reader of stalled) reader.stopReading();
    for (const url of [steps, `${logs}&limit=1000`, stream]) {
      expect(await lengthOf(url)).toBeGreaterThan(RESULTS * RESULT_BYTES);
    }
    for (const reader of stalled) reader.close();

    const retried = await fetch(`${base}/retry?runId=${runId}`, { method: 'POST' });
    expect(retried.status).toBe(200);
    await untilCompleted();
    const run = (await (await fetch(`${base}/run?runId=${runId}`)).json()) as {
      output: unknown;
      attempt: number;
    };
    expect(run).toMatchObject({ attempt: 2, output: { sum: RESULTS * RESULT_BYTES } });
  });
});

test.for(['x', 'あ', '\u0001'])('a result and log data of 400 million times %j are refused', async (text) => {
  await withFleet({}, async (fleet) => {
    const service = await fleet.start({ NODE_OPTIONS: '--max-old-space-size=256' });
    const api = fleet.api(service);
    const runId = await api.triggered({ jobName: 'repeated', input: { text, chars: 1e6, times: 400 } });
    const run = await eventually(
      'the run to fail',
      async () => {
        expect(service.isAlive, service.log).toBe(true);
        const answer = await fetch(`${api.base}/run?runId=${runId}`);
        const found = (await answer.json()) as { status: string; error: string };
        return found.status === 'failed' ? found : undefined;
      },
      { withinMs: 60_000, everyMs: 50 },
    );
    expect(run.error).toMatch(/^Step "list" returned too much: at least \d+ bytes of JSON/);
    const [line] = (await (await fetch(`${api.base}/logs?runId=${runId}`)).json()) as { message: string }[];
    expect(line?.message).toMatch(/data left out: at least \d+ bytes/);
  });
});

test('clients that stop reading long texts hold one portion each', async () => {
  await withFleet({}, async (fleet) => {
    const { logs, steps } = await storeTexts(fleet);
    const service = await fleet.start(SMALL_HEAP);
    const { base } = fleet.api(service);
    for (const { url, readers, bytes } of [
      // An error, a progress message and an error's detail for each run.
      { url: `${base}/runs?limit=100`, readers: 12, bytes: 100 * 48 * 1024 },
      { url: `${base}/logs?runId=${logs}&limit=1000`, readers: 24, bytes: 200 * 24 * 1000 },
      { url: `${base}/steps?runId=${steps}`, readers: 12, bytes: 200 * 28 * 1024 },
    ]) {
      const opening = Array.from({ length: readers }, async () => {
        const reader = await openStream(url);
        reader.stopReading();
        return reader;
      });
      const stalled = await Promise.all(opening);
      expect(await lengthOf(url)).toBeGreaterThan(bytes);
      expect(service.isAlive, service.log).toBe(true);
      for (const reader of stalled) reader.close();
    }
  });
});

test('a run that writes more log lines than can be stored keeps some, and a line says how many were left out', async () => {
  await withFleet({}, async (fleet) => {
    const service = await fleet.start({ NODE_OPTIONS: '--max-old-space-size=160' });
    const api = fleet.api(service);
    const runId = await api.triggered({ jobName: 'noisy', input: { lines: 100_000, bytes: MB } });
    await eventually(
      'the run to be completed',
      async () => {
        expect(service.isAlive, service.log).toBe(true);
        const run = (await (await fetch(`${api.base}/run?runId=${runId}`)).json()) as { status: string };
        return run.status === 'completed';
      },
      { withinMs: 60_000, everyMs: 50 },
    );
    const logs = await fetch(`${api.base}/logs?runId=${runId}&limit=1000`);
    const lines = (await logs.json()) as { level: string; message: string }[];
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    expect(lines.at(-1)?.message).toMatch(new RegExp(`^${100_001 - lines.length} log lines were left out`));
  });
});

test('ten runs that write more log lines than can be stored do not exhaust the heap', async () => {
  await withFleet({ DURABLY_CONCURRENCY: 10 }, async (fleet) => {
    const service = await fleet.start({ NODE_OPTIONS: '--max-old-space-size=256' });
    const api = fleet.api(service);
    const input = { lines: 200, bytes: 500_000 };
    await Promise.all(Array.from({ length: 10 }, () => api.triggered({ jobName: 'noisy', input })));
    await eventually(
      'the runs to be completed',
      async () => {
        expect(service.isAlive, service.log).toBe(true);
        return (await api.runs('status=completed')).length === 10;
      },
      { withinMs: 60_000, everyMs: 50 },
    );
  });
});
