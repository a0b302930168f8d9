import { Status } from '../parts/status.tsx';
import { Ago, Duration } from '../parts/time.tsx';
import { client } from '../service/connection.ts';
import { usePolled } from '../service/poll.ts';
import { hrefOf } from '../shell/router.ts';

const SHOWN = 5;
const EVERY_MS = 5000;
const FIELDS = ['id', 'status', 'scheduledFor', 'createdAt', 'startedAt', 'completedAt'] as const;

/** The last runs of a schedule. */
export function History({ id }: { readonly id: string }) {
  const { state } = usePolled(() => client.peek().getRuns({ scheduleId: id, fields: FIELDS, limit: SHOWN }), {
    everyMs: EVERY_MS,
    deps: [id],
  });
  const runs = state.value.value;
  return (
    <div>
      <h3>Last runs</h3>
      {runs === undefined && <p class="muted">…</p>}
      {runs?.length === 0 && <p class="muted">None yet</p>}
      {runs !== undefined && runs.length > 0 && (
        <>
          <ul class="slots num">
            {runs.map((run) => (
              <li key={run.id}>
                <a href={hrefOf('run', run.id)}>
                  <Status status={run.status} />
                  <span class="unseen"> run {run.id}</span>
                </a>{' '}
                <Ago at={run.createdAt} /> <Duration from={run.startedAt} to={run.completedAt} />
                {run.scheduledFor === null && <span class="muted"> fired by hand</span>}
              </li>
            ))}
          </ul>
          <a href={hrefOf('runs', '', { schedule: id })}>
            All runs of <bdi>{id}</bdi>
          </a>
        </>
      )}
    </div>
  );
}
