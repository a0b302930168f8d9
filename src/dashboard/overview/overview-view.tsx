import type { Overview, RunStatus, WorkerInfo } from '../../client.ts';
import { SPANS, spanName, useStats } from '../jobs/job-numbers.ts';
import { SpanSwitch } from '../jobs/jobs-view.tsx';
import { BarChart } from '../parts/bar-chart.tsx';
import { formatDuration, now } from '../parts/clock.ts';
import { Failure, Loading } from '../parts/notice.tsx';
import { STATUSES, Status } from '../parts/status.tsx';
import { Ago } from '../parts/time.tsx';
import { client } from '../service/connection.ts';
import { usePolled } from '../service/poll.ts';
import { hrefOf } from '../shell/router.ts';
import { RecentRuns } from './recent-runs.tsx';

const EVERY_MS = 3000;
/** A worker says every 20 s that it is there. */
const SILENT_MS = 60_000;

/** How the service is doing: what runs, what fails, the line, the workers, the database. */
export function OverviewView() {
  const { state, again } = usePolled(() => client.peek().getOverview(), { everyMs: EVERY_MS });
  const { value, error } = state.value;
  return (
    <div class="view scrolled">
      <div class="view-head">
        <h1>Overview</h1>
        <SpanSwitch />
      </div>
      {value === undefined &&
        (error === undefined ? (
          <Loading />
        ) : (
          <Failure what="The overview could not be read." error={error} again={again} />
        ))}
      {value && <Tiles overview={value} />}
      <Chart />
      <div class="overview-lists">
        <RecentRuns title="Running now" status={['running']} empty="Nothing runs." />
        <RecentRuns title="Failed last" status={['failed']} empty="Nothing has failed." />
      </div>
      <Workers />
    </div>
  );
}

function Tiles({ overview }: { readonly overview: Overview }) {
  const { runs, pendingSince, databaseBytes } = overview;
  const ageMs = pendingSince === null ? null : now.value - Date.parse(pendingSince);
  return (
    <dl class="tiles">
      {STATUSES.map((status) => (
        <Tile key={status} status={status} count={runs[status]} />
      ))}
      <div class="tile">
        <dt>oldest pending</dt>
        <dd class="num">{ageMs === null ? '–' : formatDuration(ageMs)}</dd>
      </div>
      <div class="tile">
        <dt>database</dt>
        <dd class="num">{databaseBytes === null ? '–' : formatBytes(databaseBytes)}</dd>
      </div>
    </dl>
  );
}

function Tile({ status, count }: { readonly status: RunStatus; readonly count: number }) {
  return (
    <div class="tile">
      <dt>
        <a href={hrefOf('runs', '', { status })}>
          <Status status={status} />
        </a>
      </dt>
      <dd class="num">{count.toLocaleString()}</dd>
    </div>
  );
}

function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const at = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** at;
  return `${value < 10 && at > 0 ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}

function Chart() {
  const stats = useStats();
  const { bucket, count } = SPANS[spanName()];
  return (
    <section class="numbers" aria-label="Ended runs">
      <h2>Ended runs</h2>
      <BarChart buckets={stats?.buckets ?? []} bucket={bucket} count={count} endMs={now.value} height={64} />
    </section>
  );
}

function Workers() {
  const { state } = usePolled(() => client.peek().getWorkers(), { everyMs: EVERY_MS });
  const { value, error } = state.value;
  return (
    <section aria-label="Workers">
      <h2>Workers</h2>
      {value === undefined && error !== undefined && <p class="muted">They can’t be shown.</p>}
      {value?.length === 0 && (
        <p class="muted">
          No worker was seen in the last hour. Pending runs wait until one is started, with{' '}
          <code>durably.start()</code>.
        </p>
      )}
      {value !== undefined && value.length > 0 && (
        <div class="table-scroll" tabIndex={0} role="region" aria-label="List of workers">
          <table class="list">
            <thead>
              <tr>
                <th>Instance</th>
                <th class="num">Slots in use</th>
                <th class="num">Last seen</th>
                <th class="num">Started</th>
                <th>Version</th>
                <th class="num">Jobs</th>
              </tr>
            </thead>
            <tbody>
              {value.map((worker) => (
                <WorkerRow key={worker.instance} worker={worker} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function WorkerRow({ worker }: { readonly worker: WorkerInfo }) {
  const isSilent = now.value - Date.parse(worker.lastSeenAt) > SILENT_MS;
  return (
    <tr>
      <td class="mono">{worker.instance}</td>
      <td class="num">
        {worker.slots.inUse} of {worker.slots.of}
      </td>
      <td class="num">
        {isSilent && <span class="is-failed">silent, </span>}
        <Ago at={worker.lastSeenAt} />
      </td>
      <td class="num">
        <Ago at={worker.startedAt} />
      </td>
      <td>{worker.version}</td>
      <td class="num" title={worker.jobs.join(', ')}>
        {worker.jobs.length}
      </td>
    </tr>
  );
}
