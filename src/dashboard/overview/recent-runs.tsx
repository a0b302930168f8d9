import type { RunStatus } from '../../client.ts';
import { Failure } from '../parts/notice.tsx';
import { Ago, Duration } from '../parts/time.tsx';
import { client } from '../service/connection.ts';
import { usePolled } from '../service/poll.ts';
import { hrefOf } from '../shell/router.ts';

const SHOWN = 8;
const EVERY_MS = 3000;
const FIELDS = ['id', 'jobName', 'error', 'createdAt', 'startedAt', 'completedAt', 'progress'] as const;

export interface RecentRunsProps {
  readonly title: string;
  readonly status: readonly RunStatus[];
  readonly empty: string;
}

/** The newest runs in some statuses. */
export function RecentRuns({ title, status, empty }: RecentRunsProps) {
  const { state, again } = usePolled(() => client.peek().getRuns({ status, fields: FIELDS, limit: SHOWN }), {
    everyMs: EVERY_MS,
    deps: [status.join()],
  });
  const { value, error } = state.value;
  return (
    <section aria-label={title}>
      <h2>
        <a href={hrefOf('runs', '', { status: status[0] ?? '' })}>{title}</a>
      </h2>
      {value === undefined && error !== undefined && (
        <Failure what="They could not be read." error={error} again={again} />
      )}
      {value?.length === 0 && <p class="muted">{empty}</p>}
      <ul class="recent">
        {value?.map((run) => (
          <li key={run.id}>
            <a href={hrefOf('run', run.id)}>{run.jobName}</a>
            <span class="recent-what error-text" title={run.error ?? ''}>
              {run.error}
            </span>
            <span class="recent-what muted">{run.error === null && (run.progress?.message ?? '')}</span>
            <span class="num muted">
              {run.completedAt === null ? (
                <Duration from={run.startedAt} to={null} />
              ) : (
                <Ago at={run.completedAt} />
              )}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
