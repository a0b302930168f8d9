import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { createDurablyClient } from '../../src/client.ts';
import { createCodec } from '../../src/crypto.ts';
import { createDurablyApp } from '../../src/hono.ts';
import { createDurably, defineJob, ValidationError } from '../../src/index.ts';
import { createDurablyHandler } from '../../src/server.ts';
import { openDatabase } from '../../src/sqlite.ts';

async function open() {
  const database = await openDatabase({ url: ':memory:' });
  const jobs = { e: defineJob({ name: 'e', input: z.any(), run: () => 1 }) };
  const durably = createDurably({ dialect: database.dialect, jobs, worker: 'on-demand' });
  onTestFinished(async () => {
    await durably.stop();
    await database.close();
  });
  await durably.init();
  return durably;
}

type Call = (given: never) => unknown;
const nothing = [undefined, null];
const noText = [...nothing, 5, [], {}, { x: 1 }];
const noObject = [...nothing, 5, 'x', []];
const noOptions = [null, 5, 'x', [], { x: 1 }];

test('every method refuses arguments of another kind with a ValidationError', async () => {
  const durably = await open();
  const { e } = durably.jobs;
  const calls: [string, unknown[], Call][] = [
    ['trigger', [...noObject, {}, { x: 1 }], (given) => durably.trigger(given)],
    ['triggerForId', [...noObject, {}], (given) => durably.triggerForId(given)],
    ['batchTrigger', [...nothing, 5, 'x', {}], (given) => durably.batchTrigger(given)],
    ['batchTrigger of', [...noObject, {}], (given) => durably.batchTrigger([given])],
    ['register', noObject, (given) => durably.register(given)],
    ['register.a', [...noObject, {}], (given) => durably.register({ a: given })],
    ['defineJob', [...noObject, {}], (given) => defineJob(given)],
    ['createDurably', [...noObject, {}], (given) => createDurably(given)],
    ['retrigger', noText, (given) => durably.retrigger(given)],
    ['fork', noText, (given) => durably.fork(given, { from: 'a' })],
    ['fork from', [...noObject, {}, { x: 1 }], (given) => durably.fork('run_1', given)],
    ['getRun', noText, (given) => durably.getRun(given)],
    ['getSteps', noText, (given) => durably.getSteps(given)],
    ['getLogs', [...noObject, {}, { x: 1 }], (given) => durably.getLogs(given)],
    ['retry', noText, (given) => durably.retry(given)],
    ['signal', noText, (given) => durably.signal(given, 'name')],
    ['signal named', noText, (given) => durably.signal('run_1', given)],
    ['signal with', noOptions, (given) => durably.signal('run_1', 'name', 1, given)],
    ['cancel', noText, (given) => durably.cancel(given)],
    ['deleteRun', noText, (given) => durably.deleteRun(given)],
    ['pauseJob', noText, (given) => durably.pauseJob(given)],
    ['resumeJob', noText, (given) => durably.resumeJob(given)],
    ['schedule', [...noObject, {}, { x: 1 }], (given) => durably.schedule(given)],
    ['deleteSchedule', noText, (given) => durably.deleteSchedule(given)],
    ['pauseSchedule', noText, (given) => durably.pauseSchedule(given)],
    ['resumeSchedule', noText, (given) => durably.resumeSchedule(given)],
    ['fireSchedule', noText, (given) => durably.fireSchedule(given)],
    ['reschedule', [...noObject, {}, { x: 1 }], (given) => durably.reschedule('run_1', given)],
    ['purgeRuns', [...noObject, {}, { x: 1 }], (given) => durably.purgeRuns(given)],
    ['cancelRuns', [...noObject, {}, { x: 1 }], (given) => durably.cancelRuns(given)],
    ['retryRuns', [...noObject, {}, { x: 1 }], (given) => durably.retryRuns(given)],
    ['deleteRuns', [...noObject, {}, { x: 1 }], (given) => durably.deleteRuns(given)],
    ['getRuns', noOptions, (given) => durably.getRuns(given)],
    ['getRunsPage', noOptions, (given) => durably.getRunsPage(given)],
    ['getJobs', noOptions, (given) => durably.getJobs(given)],
    ['getStats', noOptions, (given) => durably.getStats(given)],
    ['openRunFeed', noText, (given) => durably.openRunFeed(given)],
    ['openRunFeed from', [...noOptions, { after: 'x' }], (given) => durably.openRunFeed('run_1', given)],
    [
      'openRunListFeed',
      [...noOptions, { after: -1 }, { jobNames: 'x' }, { labels: 'x' }],
      (given) => durably.openRunListFeed(given),
    ],
    ['subscribe', noText, (given) => durably.subscribe(given).getReader().read()],
    ['on', noText, (given) => durably.on(given, () => undefined)],
    ['on with', [...noText, 'x'], (given) => durably.on('run:fail', given)],
    ['onError', [...noText, 'x'], (given) => durably.onError(given)],
    ['stop', noOptions, (given) => durably.stop(given)],
    ['processUntilIdle', noOptions, (given) => durably.processUntilIdle(given)],
    ['of a job: getRun', noText, (given) => e.getRun(given)],
    ['of a job: getRuns', noOptions, (given) => e.getRuns(given)],
    ['of a job: trigger with', noOptions, (given) => e.trigger(1, given)],
    ['of a job: triggerAndWait with', noOptions, (given) => e.triggerAndWait(1, given)],
    ['of a job: batchTrigger', [...nothing, 5, 'x', {}], (given) => e.batchTrigger(given)],
    ['createDurablyHandler', [...nothing, 5, 'x'], (given) => createDurablyHandler(given)],
    ['createDurablyApp', [...nothing, 5, 'x'], (given) => createDurablyApp(given)],
    ['handle', noObject, (given) => createDurablyHandler(durably).handle(given, '/')],
    ['createDurablyClient', [...noObject, {}], (given) => createDurablyClient(given)],
    ['createCodec', [...noObject, {}], (given) => createCodec(given)],
    ['asJson.run', noText, (given) => durably.asJson.run(given)],
    ['asJson.runs', noOptions, (given) => durably.asJson.runs(given)],
    ['asJson.steps', noText, (given) => durably.asJson.steps(given)],
    ['asJson.logs', [...noObject, {}], (given) => durably.asJson.logs(given)],
  ];
  for (const [name, values, call] of calls) {
    for (const value of values) {
      const shown = `${name}(${JSON.stringify(value)})`;
      const outcome = await Promise.resolve()
        .then(() => call(value as never))
        .catch((error: unknown) => error);
      expect(outcome, shown).toBeInstanceOf(ValidationError);
    }
  }
});

test('a method without options names those that it is given', async () => {
  const durably = await open();
  const calls: [string, Call][] = [
    ['processOne', durably.processOne],
    ['getOverview', durably.getOverview],
    ['getWorkers', durably.getWorkers],
    ['getSchedules', durably.getSchedules],
    ['getVitals', durably.getVitals],
  ];
  for (const [name, call] of calls) {
    await expect(call({ x: 1 } as never)).rejects.toThrow(`Unknown ${name} option "x"; none is known here`);
    await expect(call([] as never)).rejects.toThrow(`${name} options must be given as an object`);
  }
});

test('the key of what is no job is named', async () => {
  const durably = await open();
  expect(() => durably.register({ a: null as never })).toThrow('a must be a job definition, not null');
  expect(() => durably.register([] as never)).toThrow(
    'register must be given an object of job definitions, not a list',
  );
});

test('options that would have no effect are refused', async () => {
  const database = await openDatabase({ url: ':memory:' });
  onTestFinished(() => database.close());
  const { dialect } = database;
  expect(() => createDurably({ dialect, jobs: [] as never })).toThrow(
    'jobs must be an object of job definitions',
  );
  for (const retainRuns of [{}, { failed: undefined }]) {
    expect(() => createDurably({ dialect, retainRuns })).toThrow(
      'retainRuns must name at least one of completed, failed, cancelled',
    );
  }
  const { jobs } = await open();
  await expect(jobs.e.trigger(1, { debounce: { key: 'k', delay: '10s', maxDelay: '5s' } })).rejects.toThrow(
    'debounce.maxDelay must not be "5s", which is shorter than its delay "10s"',
  );
});
