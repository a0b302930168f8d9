import type { Run } from '../../client.ts';
import { Failure, Loading } from '../parts/notice.tsx';
import { Status } from '../parts/status.tsx';
import { Duration } from '../parts/time.tsx';
import { client } from '../service/connection.ts';
import { usePolled } from '../service/poll.ts';
import { hrefOf } from '../shell/router.ts';

const FIELDS = ['id', 'jobName', 'status', 'createdAt', 'startedAt', 'completedAt', 'error'] as const;
const SHOWN = 200;
const POLL_MS = 2000;

/** The runs that this run's steps have triggered. */
export function Children({ run }: { readonly run: Run }) {
  const { state, again } = usePolled(
    () => client.peek().getRunsPage({ parentRunId: run.id, fields: FIELDS, limit: SHOWN }),
    { everyMs: run.isActive ? POLL_MS : 15_000, deps: [run.id, run.isActive] },
  );
  const { value, error } = state.value;
  if (value === undefined) {
    if (error === undefined) return <Loading />;
    return <Failure what="The children could not be read." error={error} again={again} />;
  }
  if (value.runs.length === 0) return <p class="muted pad">No step of this run has triggered a run.</p>;
  return (
    <table class="list">
      <thead>
        <tr>
          <th>Status</th>
          <th>Job</th>
          <th>Run</th>
          <th class="num">Took</th>
          <th>Error</th>
        </tr>
      </thead>
      <tbody>
        {value.runs.map((child) => (
          <tr key={child.id}>
            <td>
              <Status status={child.status} />
            </td>
            <td>{child.jobName}</td>
            <td>
              <a class="mono" href={hrefOf('run', child.id)}>
                …{child.id.slice(-6)}
              </a>
            </td>
            <td class="num">
              <Duration from={child.startedAt} to={child.completedAt} />
            </td>
            <td class="error-text">{child.error}</td>
          </tr>
        ))}
      </tbody>
      {value.nextCursor !== null && (
        <caption>
          The newest {SHOWN}. <a href={hrefOf('runs', '', { parent: run.id })}>Show all</a>
        </caption>
      )}
    </table>
  );
}
