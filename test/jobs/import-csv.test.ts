import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createClient } from '@libsql/client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MAX_LOGGED_REJECTIONS } from '../../src/jobs/import-csv.ts';
import { type JobInstance, JobService } from './service.ts';

const HEADER = 'iata,name,city,state,country,latitude,longitude';
const csvOf = (...rows: string[]) => [HEADER, ...rows, ''].join('\n');
const rowOf = (iata: string, name = 'Somewhere') => `${iata},${name},Town,TX,USA,31.5,-89.25`;
const rowsOf = (count: number) => Array.from({ length: count }, (_, i) => rowOf(String(i).padStart(4, '0')));

let service: JobService;
let durably: JobInstance;
beforeEach(async () => {
  service = new JobService();
  durably = await service.start();
});
afterEach(() => service.close());

const put = (file: string, text: string) => writeFileSync(join(service.dataDir, file), text);
const importing = (input: Parameters<JobInstance['jobs']['importCsv']['trigger']>[0]) =>
  durably.jobs.importCsv.triggerAndWait(input);

/** Reads the table from a connection outside of the import. */
async function airports(columns = '*') {
  const client = createClient({ url: pathToFileURL(join(service.dataDir, 'imports.db')).href });
  const { rows } = await client.execute(`select ${columns} from airports order by iata`);
  client.close();
  return rows.map((row) => ({ ...row }));
}

/** Waits until a run's journal shows that the step is done or the run has ended. */
async function stepDone(runId: string, name: string): Promise<void> {
  for await (const event of durably.subscribe(runId)) {
    if (event.type === 'step:complete' && event.stepName === name) return;
  }
}

/** Waits for the run's end. */
async function ended(runId: string) {
  for await (const _ of durably.subscribe(runId));
  return await durably.getRun(runId);
}

describe('importing', () => {
  test('stores the shipped data with one step per batch', async () => {
    copyFileSync('data/airports.csv', join(service.dataDir, 'airports.csv'));
    const { id, output } = await importing({ file: 'airports.csv', batchSize: 1000 });
    const sha256 = createHash('sha256').update(readFileSync('data/airports.csv')).digest('hex');
    expect(output).toEqual({ source: 'airports.csv', sha256, rows: 3376, imported: 3376, rejected: 0 });
    const names = (await durably.getSteps(id)).map(({ name }) => name);
    expect(names).toEqual(['inspect', 'rows 1-1000', 'rows 1001-2000', 'rows 2001-3000', 'rows 3001-3376']);
    expect((await durably.getRun(id))?.progress).toMatchObject({ current: 3376, total: 3376 });
    const stored = await airports();
    expect(stored).toHaveLength(3376);
    expect(stored).toContainEqual({
      iata: 'HHH',
      name: 'Hilton Head',
      city: null,
      state: null,
      country: 'USA',
      latitude: 32.224384,
      longitude: -80.697629,
    });
  });

  test('accepts inline text, and replaces rows with the same code', async () => {
    await importing({ text: csvOf(rowOf('AAA', 'Old'), rowOf('BBB')) });
    const { output } = await importing({
      text: csvOf(rowOf('AAA', 'New'), rowOf('CCC', 'One'), rowOf('CCC', 'Two')),
    });
    expect(output).toMatchObject({ source: 'text', rows: 3, imported: 3 });
    expect(await airports('iata, name')).toEqual([
      { iata: 'AAA', name: 'New' },
      { iata: 'BBB', name: 'Somewhere' },
      { iata: 'CCC', name: 'Two' },
    ]);
  });

  test('suggests the nearest known member for a misspelled one', async () => {
    await expect(importing({ text: csvOf(), batchsize: 5 } as never)).rejects.toThrow(
      'Unknown member of the input "batchsize"; did you mean "batchSize"?',
    );
  });

  test('imports no row from a header alone', async () => {
    const { output } = await importing({ text: csvOf() });
    expect(output).toMatchObject({ rows: 0, imported: 0, rejected: 0 });
  });

  test('rejects bad rows one by one and logs why', async () => {
    const { id, output } = await importing({
      text: csvOf(
        rowOf('AAA'),
        'A,Bad,NA,NA,USA,north,0',
        rowOf('BBB'),
        'CCC,Short',
        '"D\ud800D",X,NA,NA,USA,1,1',
      ),
    });
    expect(output).toMatchObject({ rows: 5, imported: 2, rejected: 3 });
    const warnings = await durably.getLogs({ runId: id, level: 'warn' });
    expect(warnings.map(({ message, stepName }) => [stepName, message])).toEqual([
      [
        'rows 1-5',
        'line 3 rejected: iata: not three or four letters or digits; latitude: not a decimal number',
      ],
      ['rows 1-5', 'line 5 rejected: 2 fields instead of 7'],
      ['rows 1-5', 'line 6 rejected: iata: not three or four letters or digits'],
    ]);
    expect(warnings[1]?.data).toEqual({ line: 5, reason: '2 fields instead of 7' });
  });

  test('logs a limited number of rejections, and counts the others', async () => {
    const bad = Array.from({ length: MAX_LOGGED_REJECTIONS + 20 }, () => 'bad');
    const { id, output } = await importing({ text: csvOf(...bad), batchSize: 30 });
    expect(output).toMatchObject({ rejected: MAX_LOGGED_REJECTIONS + 20 });
    const warnings = await durably.getLogs({ runId: id, level: 'warn', limit: 1000 });
    expect(warnings).toHaveLength(MAX_LOGGED_REJECTIONS + 1);
    expect(warnings.at(-1)?.message).toBe('20 more rejected rows were not logged one by one');
  });
});

describe('refusing an import', () => {
  test.each([
    [{}, 'give exactly one of `file` and `text`'],
    [{ file: 'a.csv', text: 'x' }, 'give exactly one of `file` and `text`'],
    [{ file: '/etc/hostname' }, 'must be a path inside the data folder'],
    [{ file: '../secret.csv' }, 'must be a path inside the data folder'],
    [{ file: 'a.csv', batchSize: 0 }, 'batchSize'],
    [{ file: 'a.csv', pauseMs: -1 }, 'pauseMs'],
    [{ file: 'a.csv', batchsize: 10 }, 'batchsize'],
  ])('no run is created for %j', async (input, message) => {
    await expect(importing(input)).rejects.toThrow(message);
    expect(await durably.getRuns()).toEqual([]);
  });

  test.each([
    ['none.csv', 'none.csv: no such file'],
    ['link.csv', 'link.csv: lies outside the data folder'],
    ['.', 'must be a path inside the data folder'],
    ['empty.csv', 'the CSV is empty'],
    ['other.csv', 'the header lacks iata'],
  ])('a run on %s fails and says why', async (file, message) => {
    symlinkSync('/etc/hostname', join(service.dataDir, 'link.csv'));
    put('empty.csv', '');
    put('other.csv', 'a,b\n1,2\n');
    await expect(importing({ file })).rejects.toThrow(message);
  });

  test('the failed step is named', async () => {
    const failed = new Promise((resolve) => durably.on('run:fail', resolve));
    await durably.jobs.importCsv.trigger({ file: 'none.csv' });
    expect(await failed).toMatchObject({ failedStepName: 'inspect', error: 'none.csv: no such file' });
  });
});

describe('a second attempt', () => {
  let runId: string;
  /** The first attempt stores a batch of three. The run is then handed back to a worker that has just started. */
  beforeEach(async () => {
    put('a.csv', csvOf(...rowsOf(30)));
    const run = await durably.jobs.importCsv.trigger({ file: 'a.csv', batchSize: 10, pauseMs: 60_000 });
    runId = run.id;
    await stepDone(runId, 'rows 1-10');
    await durably.stop({ timeoutMs: 0 });
  });

  test('does not repeat the stored batches', async () => {
    const client = createClient({ url: pathToFileURL(join(service.dataDir, 'imports.db')).href });
    await client.execute("update airports set name = 'Touched'");
    client.close();
    durably = await service.start();
    await stepDone(runId, 'rows 11-20');
    const names = await airports('name');
    expect(names).toHaveLength(20);
    expect(names.filter(({ name }) => name === 'Touched')).toHaveLength(10);
  });

  test('refuses to mix two versions of a file', async () => {
    put('a.csv', csvOf(...rowsOf(30).reverse()));
    durably = await service.start();
    expect(await ended(runId)).toMatchObject({
      status: 'failed',
      error: 'a.csv has changed since this run began: trigger a new run to import it',
    });
    expect(await airports('iata')).toHaveLength(10);
  });

  test('fails with a clear message if the file is gone', async () => {
    rmSync(join(service.dataDir, 'a.csv'));
    durably = await service.start();
    expect(await ended(runId)).toMatchObject({ status: 'failed', error: 'a.csv: no such file' });
  });
});

test('cancelling ends a pause early', async () => {
  const input = { text: csvOf(...rowsOf(2)), batchSize: 1, pauseMs: 60_000 };
  const run = await durably.jobs.importCsv.trigger(input);
  await stepDone(run.id, 'rows 1-1');
  await durably.cancel(run.id);
  await durably.stop();
  expect(await airports('iata')).toHaveLength(1);
});

test('waits for a locked imports database, and then really stores the rows', async () => {
  await importing({ text: csvOf(rowOf('AAA')) });
  const other = createClient({ url: pathToFileURL(join(service.dataDir, 'imports.db')).href });
  const lock = await other.transaction('write');
  const waiting = new Promise<void>((resolve) => {
    durably.on('log:write', ({ message }) => {
      if (message.includes('locked')) resolve();
    });
  });
  const imported = importing({ text: csvOf(rowOf('BBB'), rowOf('CCC')), batchSize: 1 });
  await waiting;
  await lock.rollback();
  other.close();
  expect((await imported).output).toMatchObject({ imported: 2 });
  expect(await airports('iata')).toEqual([{ iata: 'AAA' }, { iata: 'BBB' }, { iata: 'CCC' }]);
});
