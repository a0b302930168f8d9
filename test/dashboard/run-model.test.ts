import { expect, it } from 'vitest';
import type { JournalEvent } from '../../src/client.ts';
import { RunModel } from '../../src/dashboard/run/run-model.ts';

type Told<T extends JournalEvent['type']> = Omit<
  Extract<JournalEvent, { readonly type: T }>,
  'sequence' | 'timestamp' | 'runId' | 'jobName'
>;

/** A model of a run that is told events, each at a second of its own. */
function modelOf(told: readonly { [T in JournalEvent['type']]: Told<T> }[JournalEvent['type']][]): RunModel {
  const model = new RunModel();
  told.forEach((event, i) => {
    const base = {
      sequence: i + 1,
      timestamp: new Date(i * 1000).toISOString(),
      runId: 'run_1',
      jobName: 'a',
    };
    model.take({ ...base, ...event } as JournalEvent);
  });
  return model;
}

const barsOf = (model: RunModel, name: string) =>
  model.laneOf(name)?.bars.map(({ kind, fromMs, toMs, outcome }) => [kind, fromMs, toMs, outcome]);
const START = { type: 'run:start', payload: {}, attempt: 1 } as const;
const step = (stepName: string) => ({ stepName, stepIndex: 0 });

it('a step has a bar for each try, and its waits between them', () => {
  const model = modelOf([
    { type: 'run:trigger' },
    START,
    { type: 'step:start', ...step('pay') },
    {
      type: 'step:retry',
      ...step('pay'),
      error: 'no',
      attempt: 1,
      nextAttemptAt: '1970-01-01T00:00:04.000Z',
    },
    { type: 'step:start', ...step('pay') },
    { type: 'step:complete', ...step('pay'), output: 7, duration: 1000 },
  ]);
  expect(barsOf(model, 'pay')).toEqual([
    ['try', 2000, 3000, 'failed'],
    ['wait', 3000, 4000, 'completed'],
    ['try', 4000, 5000, 'completed'],
  ]);
  expect(model.laneOf('pay')).toMatchObject({ status: 'completed', tries: 2, output: 7 });
});

it('a step that waits has a wait in place of a try, which ends when the run goes on', () => {
  const until = '1970-01-01T01:00:00.000Z';
  const model = modelOf([
    { type: 'run:trigger' },
    START,
    { type: 'step:start', ...step('nap') },
    { type: 'run:wait', waits: [{ kind: 'sleep', stepName: 'nap', until }] },
    { type: 'run:resume', attempt: 1 },
    { type: 'step:complete', ...step('nap'), output: null, duration: 1000 },
    { type: 'run:complete', output: null, duration: 5 },
  ]);
  expect(barsOf(model, 'nap')).toEqual([['wait', 2000, 4000, 'completed']]);
  expect(model.run.bars.map(({ kind }) => kind)).toEqual(['queued', 'attempt', 'wait', 'attempt']);
  expect(model.endMs).toBe(6000);
});

it('a try whose worker was lost ends at the takeover', () => {
  const model = modelOf([
    { type: 'run:trigger' },
    START,
    { type: 'step:start', ...step('work') },
    { ...START, attempt: 2 },
    { type: 'step:start', ...step('work') },
  ]);
  expect(barsOf(model, 'work')).toEqual([
    ['try', 2000, 3000, 'lost'],
    ['try', 4000, null, 'open'],
  ]);
});

it('a start that was stored late begins when the step took so long', () => {
  const model = modelOf([
    { type: 'run:trigger' },
    START,
    { type: 'step:start', ...step('work') },
    { type: 'step:complete', ...step('work'), output: 1, duration: 1800 },
  ]);
  expect(barsOf(model, 'work')).toEqual([['try', 1200, 3000, 'completed']]);
});

it('a cancelled run leaves nothing open', () => {
  const model = modelOf([
    { type: 'run:trigger' },
    START,
    { type: 'step:start', ...step('work') },
    { type: 'run:cancel' },
  ]);
  expect(barsOf(model, 'work')).toEqual([['try', 2000, 3000, 'cancelled']]);
  expect(model.laneOf('work')?.status).toBe('cancelled');
});

it('a retry by hand goes on after the end', () => {
  const model = modelOf([
    { type: 'run:trigger' },
    START,
    { type: 'run:fail', error: 'no', errorDetail: null, failedStepName: 'unknown' },
    { type: 'run:retry' },
    { ...START, attempt: 2 },
  ]);
  expect(model.endMs).toBeNull();
  expect(model.run.bars.map(({ kind, outcome }) => [kind, outcome])).toEqual([
    ['queued', 'completed'],
    ['attempt', 'failed'],
    ['queued', 'completed'],
    ['attempt', 'open'],
  ]);
});
