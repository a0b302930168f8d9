import { expect, it } from 'vitest';
import type { Call } from '../../../src/core/call.ts';
import type { Store } from '../../../src/core/store.ts';
import { EventBus } from '../../../src/engine/events/event-bus.ts';
import { Housekeeping } from '../../../src/engine/housekeeping.ts';
import { cancel, deleteRun, retry } from '../../../src/engine/runs/commands.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const TOOK_MS = 4_000;

/** A store whose answers take a while, and below whose runs there is always more to cancel. */
function slowly(command: 'cancel' | 'retry' | 'delete') {
  const clock = new FakeClock();
  const deadlines: (number | undefined)[] = [];
  const answer = async (call: Call | undefined, result: unknown) => {
    deadlines.push(call?.deadlineMs);
    clock.advance(TOOK_MS);
    return result;
  };
  const done = { kind: 'done', jobName: 'echo', leavesMore: true, alsoCancelled: [] };
  const store = {
    command: (_: string, __: string, call?: Call) =>
      answer(call, command === 'cancel' || deadlines.length > 1 ? done : { kind: 'cancels-below' }),
    cancelBelow: (_: unknown, call?: Call) => answer(call, { cancelled: [], more: command === 'cancel' }),
    deletePortion: (call?: Call) => answer(call, true),
  } as unknown as Store;
  const bus = new EventBus(clock);
  const housekeeping = new Housekeeping({ store, bus, clock, presence: 'on-demand' });
  const worker = { wake: () => undefined };
  const deps = { store, bus, clock, housekeeping, worker, isResident: false } as never;
  return { deps, deadlines };
}

it.each([
  ['cancel', cancel],
  ['retry', retry],
  ['delete', deleteRun],
] as const)('%s has one budget for all that it waits for', async (command, act) => {
  const { deps, deadlines } = slowly(command);
  await act(deps, 'run_1').catch(() => undefined);
  expect(deadlines.length).toBeGreaterThan(1);
  expect(new Set(deadlines)).toEqual(new Set([10_000]));
  // Nothing is begun once its time is up.
  if (command === 'cancel') expect(deadlines).toHaveLength(3);
});
