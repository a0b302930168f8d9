import { type Profiler, Session } from 'node:inspector/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { createDurablyApp } from '../../src/app/create-app.ts';
import { openServiceDatabase } from '../../src/app/database.ts';
import { createDurably } from '../../src/create-durably.ts';
import { requestTo } from './doors.ts';
import { createSuiteJobs } from './jobs.ts';

const SOURCES = join(import.meta.dirname, '../../src/');

/** The functions with a name that pass on the input of a trigger without options, from its request to the Store. */
const WALK: Readonly<Record<string, readonly string[]>> = {
  'http/pipeline.ts': ['parse', 'answer'],
  'http/body.ts': ['readJson', 'readText', 'parseJson'],
  'http/operations/trigger.ts': ['act'],
  'engine/runs/triggering/trigger.ts': ['triggerForId', 'triggerRun', 'storeRun', 'storeRuns'],
  'engine/jobs/new-run.ts': ['newRun', 'parseTrigger', 'toNewRun'],
  'engine/jobs/schema-parse.ts': ['parseWith'],
  'core/json/json.ts': ['encodeJson', 'encode', 'writeJson'],
  'storage/sqlite/store.ts': ['enqueue'],
};

/**
 * All functions with a name that one such trigger calls: those that only look at the input, too, and what tells of the new
 * run. Raise a bound only for what every trigger needs: an option that is not given must cost no function.
 */
const BOUNDS = { aboveStore: { functions: 61, files: 32 }, inStorage: { functions: 94, files: 27 } };

type Called = ReadonlyMap<string, readonly string[]>;

it('walks a trigger without options through few functions', async () => {
  const post = await openService();
  await post();
  await post();
  await nextTurn();
  const called = await calledBy(post);
  for (const [file, names] of Object.entries(WALK)) {
    expect(called.get(file), file).toEqual(expect.arrayContaining([...names]));
  }
  const aboveStore = countOf(called, (file) => !file.startsWith('storage/'));
  const inStorage = countOf(called, (file) => file.startsWith('storage/'));
  const shown = [...called].map(([file, names]) => `${file}: ${names.join(' ')}`).join('\n');
  for (const [counted, bound] of [
    [aboveStore, BOUNDS.aboveStore],
    [inStorage, BOUNDS.inStorage],
  ] as const) {
    expect(counted.functions, shown).toBeLessThanOrEqual(bound.functions);
    expect(counted.files, shown).toBeLessThanOrEqual(bound.files);
  }
});

/** A service on a database of its own, without a worker. Returns what posts a trigger to it. */
async function openService(): Promise<() => Promise<void>> {
  // The files of a database on disk are looked at now and then, which would be counted.
  const database = await openServiceDatabase({ url: ':memory:' });
  const durably = createDurably({ dialect: database.dialect, jobs: createSuiteJobs(async () => undefined) });
  onTestFinished(async () => {
    await durably.db.destroy();
    await database.close();
  });
  await durably.migrate();
  const app = createDurablyApp(durably);
  const body = JSON.stringify({ jobName: 'greet', input: { name: 'Ada' } });
  const headers = { 'content-type': 'application/json', 'content-length': String(body.length) };
  return async () => {
    const { status } = await app.fetch(requestTo('/trigger', { method: 'POST', headers, body }));
    expect(status).toBe(200);
  };
}

/** The functions of the product that are called meanwhile, by their files. Reads of imports appear as functions without a name. */
async function calledBy(work: () => Promise<void>): Promise<Called> {
  const session = new Session();
  session.connect();
  onTestFinished(() => session.disconnect());
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  await session.post('Profiler.takePreciseCoverage');
  await work();
  const { result } = await session.post('Profiler.takePreciseCoverage');
  await session.post('Profiler.stopPreciseCoverage');
  const files = result.map((script) => [script.url.replace('file://', ''), namesOf(script)] as const);
  return new Map(
    files
      .filter(([path, names]) => path.startsWith(SOURCES) && names.length > 0)
      .map(([path, names]) => [path.slice(SOURCES.length), names]),
  );
}

function namesOf({ functions }: Profiler.ScriptCoverage): string[] {
  return functions.flatMap(({ functionName, ranges: [range] }) =>
    functionName !== '' && range !== undefined && range.count > 0 ? [functionName] : [],
  );
}

function countOf(called: Called, isCounted: (file: string) => boolean) {
  const names = [...called].flatMap(([file, each]) => (isCounted(file) ? [each] : []));
  return { functions: names.flat().length, files: names.length };
}
