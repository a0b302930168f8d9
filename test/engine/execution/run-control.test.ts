import { describe, expect, test } from 'vitest';
import { LeaseLostError, RunCancelledError } from '../../../src/core/errors/errors.ts';
import { RunControl } from '../../../src/engine/execution/run-control.ts';

const control = () => new RunControl({ runId: 'run_1', fence: 1 });

describe("a run's signal", () => {
  test('is aborted with its reason, even if it is first read after the stop', () => {
    const stopped = control();
    stopped.stop('cancelled');
    expect(stopped.signal.aborted).toBe(true);
    expect(stopped.signal.reason).toBeInstanceOf(RunCancelledError);
    expect(() => stopped.throwIfOver()).toThrow(RunCancelledError);
  });

  test('is aborted at the end of a job only if its steps are still running', () => {
    const [still, over] = [control(), control()];
    const { signal } = still;
    still.end({ stepsRunning: true });
    over.end({ stepsRunning: false });
    expect([signal.aborted, over.signal.aborted]).toEqual([true, false]);
    expect(signal.reason).toBeInstanceOf(LeaseLostError);
    for (const each of [still, over]) expect(() => each.throwIfOver()).toThrow('Run run_1 has ended');
  });

  test('does not change if the run is stopped after its end', () => {
    const over = control();
    over.end({ stepsRunning: false });
    over.stop('cancelled');
    expect(over.signal.aborted).toBe(false);
    expect(() => over.throwIfOver()).toThrow(LeaseLostError);
  });
});

describe('the control of an execution', () => {
  test('stops once, for the first reason', async () => {
    const reins = control();
    reins.throwIfOver();
    reins.stop('cancelled');
    reins.stop('lease-lost');
    expect(await reins.stopped).toBe('cancelled');
    expect(() => reins.throwIfOver()).toThrow(/cancelled/);
    expect(reins.signal.reason).toMatchObject({ code: 'RUN_CANCELLED' });
  });

  test('does not abort at the end unless steps are still running', () => {
    const [quiet, busy] = [control(), control()];
    quiet.end({ stepsRunning: false });
    busy.end({ stepsRunning: true });
    expect([quiet.signal.aborted, busy.signal.aborted]).toEqual([false, true]);
    for (const reins of [quiet, busy]) expect(() => reins.throwIfOver()).toThrow(/has ended/);
  });
});
