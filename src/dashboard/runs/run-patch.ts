import type { JournalEvent, Run } from '../../client.ts';

/** What the list shows of a run. */
export const ROW_FIELDS = [
  'id',
  'jobName',
  'status',
  'waits',
  'labels',
  'progress',
  'error',
  'attempt',
  'stepCount',
  'concurrencyKey',
  'parentRunId',
  'scheduleId',
  'createdAt',
  'startedAt',
  'completedAt',
] as const satisfies readonly (keyof Run)[];

type Waits = Extract<JournalEvent, { readonly type: 'run:wait' }>['waits'];
type Progress = Extract<JournalEvent, { readonly type: 'run:progress' }>['progress'];

/** A row of the list, as it is read or as events have made it. */
export type RunRow = Omit<Pick<Run, (typeof ROW_FIELDS)[number]>, 'waits' | 'progress'> & {
  readonly waits: Readonly<Waits>;
  readonly progress: Progress | null;
};

/** What an event changes of a run. Undefined if the list shows nothing of it, null if the run is deleted. */
export function patchOf(event: JournalEvent, row: RunRow): Partial<RunRow> | null | undefined {
  switch (event.type) {
    case 'run:start':
      return {
        status: 'running',
        waits: [],
        attempt: event.attempt,
        startedAt: row.startedAt ?? event.timestamp,
        completedAt: null,
        error: null,
      };
    case 'run:resume':
      return { status: 'running', waits: [], attempt: event.attempt };
    case 'run:wait':
      return { status: 'waiting', waits: event.waits };
    case 'run:reschedule': {
      const { runAt, timestamp } = event;
      if (runAt <= timestamp) return { status: 'pending', waits: [] };
      return { status: 'waiting', waits: [{ kind: 'delay', stepName: null, until: runAt }] };
    }
    case 'run:progress':
      return { progress: event.progress };
    case 'run:complete':
      return { status: 'completed', waits: [], completedAt: event.timestamp };
    case 'run:fail':
      return { status: 'failed', waits: [], completedAt: event.timestamp, error: event.error };
    case 'run:cancel':
      return { status: 'cancelled', waits: [], completedAt: event.timestamp };
    case 'run:retry': {
      const until = event.nextAttemptAt ?? null;
      if (event.automatic && until !== null) {
        return { status: 'waiting', waits: [{ kind: 'retry', stepName: null, until }], completedAt: null };
      }
      return { status: 'pending', waits: [], completedAt: null, error: null };
    }
    case 'run:delete':
      return null;
    case 'step:complete':
      return { stepCount: row.stepCount + 1 };
    default:
      return undefined;
  }
}
