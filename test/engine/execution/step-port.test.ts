import { describe, expect, test } from 'vitest';
import { LeaseLostError, StepError } from '../../../src/core/errors/errors.ts';
import type { StepResult } from '../../../src/core/ownership/known-step.ts';
import type { OwnerNote } from '../../../src/core/store.ts';
import { EventBus } from '../../../src/engine/events/event-bus.ts';
import { LogBudget } from '../../../src/engine/execution/journal/log-budget.ts';
import { OwnerJournal } from '../../../src/engine/execution/journal/owner-journal.ts';
import { RunControl } from '../../../src/engine/execution/run-control.ts';
import { StepResults } from '../../../src/engine/execution/step-results.ts';
import { createRunStep } from '../../../src/engine/execution/steps/run-step.ts';
import { StepCalls } from '../../../src/engine/execution/steps/step-calls.ts';
import { StepPort } from '../../../src/engine/execution/steps/step-port.ts';
import { StepWaits } from '../../../src/engine/execution/steps/step-waits.ts';
import { NeededValues } from '../../../src/engine/plugins/needed-values.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { fakeStore } from '../../support/fake-store.ts';
import { idle } from '../../support/idle.ts';
import { deferred } from '../../support/until.ts';
import { claimedRun } from '../claimed-run.ts';

const RUN = claimedRun();

/** One execution of a run: the results stored before, and the notes that its owner stores. */
function execution(stored: readonly StepResult[] = []) {
  const clock = new FakeClock();
  const control = new RunControl(RUN);
  const notes: OwnerNote[] = [];
  const store = fakeStore({
    append: async ({ entries }) => {
      notes.push(...entries.map(({ note }) => note));
      return 'stored';
    },
  });
  const bus = new EventBus(clock);
  const journal = new OwnerJournal(RUN, { store, bus, clock, logBudget: new LogBudget() });
  const calls = new StepCalls();
  const results = new StepResults(stored, {
    control,
    store,
    clock,
    needed: new NeededValues(undefined, control),
  });
  const databaseNowMs = () => clock.now();
  const waits = new StepWaits({ clock, control, calls, databaseNowMs, isAwaitingRun: () => false });
  const port = new StepPort({
    control,
    journal,
    clock,
    calls,
    results,
    waits,
    databaseNowMs,
    maxResultBytes: 1_000,
    errorDetail: 'message',
  });
  return { control, calls, notes, port, run: createRunStep(port) };
}

/** Suspends the run in place of a step. */
async function suspend(port: StepPort): Promise<never> {
  const call = port.enter('last', undefined);
  if (call.state === 'refused') throw call.error;
  return await port.suspend('handed-back', call);
}

/** A kind of step for this test. It waits for nothing, and its result is the given time. */
function createStampStep(port: StepPort) {
  return (name: string, at: unknown) =>
    port.begin(async () => {
      const call = port.enter(name, typeof at === 'number' ? undefined : 'needs a time');
      if (call.state === 'refused') return await port.refuse(call);
      const stored = port.replay(call);
      if (stored !== undefined) return `stored ${await stored}`;
      if (port.isDraining) return await port.suspend('handed-back', call);
      port.start(call);
      await port.complete(call, port.encode(call, at));
      return `new ${at}`;
    });
}

describe('another kind of step', () => {
  test('shares names and indexes with the others, and is replayed like them', async () => {
    const { port, run, notes } = execution([
      { state: 'completed', name: 'earlier', sequence: 1, outputBytes: 1, output: '7' },
    ]);
    const stamp = createStampStep(port);
    expect(await stamp('earlier', 1)).toBe('stored 7');
    expect(await run('second', () => 2)).toBe(2);
    expect(await stamp('third', 3)).toBe('new 3');
    await expect(run('third', () => 4)).rejects.toThrow('Step "third" already ran in this attempt');
    const outcomes = notes.filter(({ type }) => type === 'step:complete');
    expect(outcomes.map(({ stepName, stepIndex, data }) => [stepName, stepIndex, data])).toEqual([
      ['second', 1, '2'],
      ['third', 2, '3'],
    ]);
  });

  test('can refuse arguments with its own message, which names the step', async () => {
    const { port, notes } = execution();
    const refused = createStampStep(port)('stamp', 'noon');
    await expect(refused).rejects.toThrow(new StepError('Step "stamp" needs a time'));
    expect(notes).toEqual([]);
  });
});

describe('a step that suspends its run', () => {
  test('stops the run once the steps beside it are stored, and throws', async () => {
    const { control, port, run, notes } = execution();
    const held = deferred<string>();
    const beside = run('beside', () => held.promise);
    control.drain();
    const suspending = createStampStep(port)('stamp', 1);
    await idle();
    expect(control.isOver).toBe(false);
    held.resolve('done');
    expect(await beside).toBe('done');
    await expect(suspending).rejects.toThrow(LeaseLostError);
    expect(await control.stopped).toBe('handed-back');
    expect(notes.map(({ type }) => type)).toEqual(['step:start', 'step:complete']);
  });

  test('does not wait for steps whose run is stopped meanwhile', async () => {
    const { control, port, run } = execution();
    const beside = run('beside', () => new Promise(() => undefined));
    const suspending = port.begin(() => suspend(port));
    control.stop('cancelled');
    await expect(suspending).rejects.toThrow('cancelled');
    expect(await control.stopped).toBe('cancelled');
    void beside;
  });

  test('lets the run end if its other steps end it', async () => {
    const { control, calls, port, run } = execution();
    const held = deferred();
    const failure = new Error('no');
    const beside = run('beside', () => held.promise);
    const ended = beside.catch(() => control.end({ stepsRunning: calls.areRunning }));
    const suspending = port.begin(() => suspend(port));
    await idle();
    held.reject(failure);
    await ended;
    await expect(suspending).rejects.toThrow('Run run_1 has ended');
    expect(control.hasEndedByItself).toBe(true);
    expect(calls.failedStepOf(new Error('job', { cause: failure }))).toBe('beside');
  });
});
