import type { AppendResult as Answer, Append } from '../../../src/core/store.ts';
import { EventBus } from '../../../src/engine/events/event-bus.ts';
import { LogBudget } from '../../../src/engine/execution/journal/log-budget.ts';
import { OwnerJournal } from '../../../src/engine/execution/journal/owner-journal.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { fakeStore } from '../../support/fake-store.ts';
import { type Deferred, deferred } from '../../support/until.ts';
import { claimedRun } from '../claimed-run.ts';

const RUN = claimedRun({ attempt: 3 });

/** A journal whose appends wait until the test answers them, or get the given answer. */
export function journal(answer?: (append: Append) => Promise<Answer>) {
  const clock = new FakeClock();
  const bus = new EventBus(clock);
  const appends: { readonly append: Append; readonly answer: Deferred<Answer> }[] = [];
  const store = fakeStore({
    append: (append) => {
      const held = deferred<Answer>();
      appends.push({ append, answer: held });
      return answer ? answer(append) : held.promise;
    },
  });
  const errors: string[] = [];
  bus.on('worker:error', ({ context }) => errors.push(context));
  const heard: string[] = [];
  bus.on('log:write', ({ message }) => heard.push(message));
  const owner = new OwnerJournal(RUN, { store, bus, clock, logBudget: new LogBudget() });
  const log = (message: string) => owner.note({ type: 'log:write', message });
  const step = (stepName: string) =>
    owner.record({ type: 'step:complete', stepName, stepIndex: 0, durationMs: 1.6 });
  const texts = () =>
    appends.map(({ append }) => append.entries.map(({ note }) => note.message ?? note.stepName ?? note.type));
  return { clock, appends, errors, heard, owner, log, step, texts };
}

/** How long before the append each entry happened. */
export function agesOf(append: Append | undefined): readonly number[] {
  return append?.entries.map(({ atMs }) => append.sentAtMs - atMs) ?? [];
}
