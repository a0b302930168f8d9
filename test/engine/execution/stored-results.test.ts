import { describe, expect, test } from 'vitest';
import { LeaseLostError } from '../../../src/core/errors/errors.ts';
import { RunControl } from '../../../src/engine/execution/run-control.ts';
import { StepResults } from '../../../src/engine/execution/step-results.ts';
import { NeededValues } from '../../../src/engine/plugins/needed-values.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { fakeStore } from '../../support/fake-store.ts';
import { rejectionOf } from '../../support/runs.ts';

describe('the stored results of a run', () => {
  test('stop its execution if the run was deleted meanwhile, because its lease is lost', async () => {
    const control = new RunControl({ runId: 'run_1', fence: 1 });
    const asked: string[][] = [];
    const store = fakeStore({
      readStepOutputs: async ({ names }) => {
        asked.push([...names]);
        return new Map();
      },
    });
    const names = ['one', 'two'].map((name) => ({
      state: 'completed' as const,
      name,
      sequence: 1,
      outputBytes: 10_000,
    }));
    const results = new StepResults(names, {
      control,
      store,
      clock: new FakeClock(),
      needed: new NeededValues(undefined, control),
    });
    expect(await rejectionOf(results.take('one'))).toBeInstanceOf(LeaseLostError);
    expect(await control.stopped).toBe('lease-lost');
    expect(await rejectionOf(results.take('two'))).toBeInstanceOf(LeaseLostError);
    // The second one is not asked for: the run is over.
    expect(asked).toEqual([['one', 'two']]);
  });

  test('are read in portions, and the errors of failed steps count', async () => {
    const control = new RunControl({ runId: 'run_1', fence: 1 });
    const asked: string[][] = [];
    const store = fakeStore({
      readStepOutputs: async ({ names }) => {
        asked.push([...names]);
        return new Map(names.map((name) => [name, JSON.stringify([name, null])]));
      },
    });
    const steps = ['one', 'two', 'three'].map((name) => ({
      state: 'failed' as const,
      name,
      sequence: 1,
      outputBytes: 400_000,
    }));
    const results = new StepResults(steps, {
      control,
      store,
      clock: new FakeClock(),
      needed: new NeededValues(undefined, control),
    });
    for (const { name } of steps)
      expect(await rejectionOf(results.take(name))).toMatchObject({ message: name });
    expect(asked).toEqual([['one', 'two'], ['three']]);
  });
});
