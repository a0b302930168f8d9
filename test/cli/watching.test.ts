import pc from 'picocolors';
import { expect, it } from 'vitest';
import { type Watching, watchRun } from '../../src/cli/commands/watching.ts';
import type { JournalEvent, RunStatus } from '../../src/client.ts';

const event = (sequence: number, type: 'run:fail' | 'run:retry' | 'run:complete'): JournalEvent => {
  const base = {
    sequence,
    runId: 'run_1',
    jobName: 'greet',
    labels: {},
    timestamp: '2026-01-01T00:00:00.000Z',
  };
  if (type === 'run:fail')
    return { ...base, type, error: 'no luck', errorDetail: null, failedStepName: 'try' };
  return type === 'run:retry' ? { ...base, type } : { ...base, type, output: null, duration: 5 };
};

/** Each stream sends the next list of events, and each read of the run gives the next status. */
function watching(streams: readonly JournalEvent[][], statuses: readonly (RunStatus | null)[]) {
  const [nextStream, nextStatus] = [streams.values(), statuses.values()];
  const resumedAfter: (number | undefined)[] = [];
  const session: Watching = {
    isLive: false,
    show: () => undefined,
    colors: pc.createColors(false),
    client: {
      async *runEvents(_runId, { after }) {
        resumedAfter.push(after);
        yield* nextStream.next().value ?? expect.fail('no other stream was expected');
      },
      getRun: async () => {
        const status = nextStatus.next().value ?? null;
        return status === null ? null : { status };
      },
    },
  };
  return { session, resumedAfter };
}

it('follows a failed run that was retried in the meantime, from its last event', async () => {
  const streams = [[event(7, 'run:fail')], [event(8, 'run:retry'), event(9, 'run:fail')]];
  const { session, resumedAfter } = watching(streams, ['pending', 'failed']);
  expect(await watchRun(session, 'run_1')).toBe(1);
  expect(resumedAfter).toEqual([undefined, 7]);
});

it('tells how a run ended that was deleted after its end', async () => {
  const { session } = watching([[event(7, 'run:fail')]], [null]);
  expect(await watchRun(session, 'run_1')).toBe(1);
});
