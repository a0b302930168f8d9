import type { JobInfo } from '../../client.ts';
import { BarChart } from '../parts/bar-chart.tsx';
import { formatDuration, now } from '../parts/clock.ts';
import { Empty, Failure, Loading } from '../parts/notice.tsx';
import { STATUSES, Status } from '../parts/status.tsx';
import { Ago } from '../parts/time.tsx';
import { client } from '../service/connection.ts';
import { isReadOnly } from '../service/page-config.ts';
import { usePolled } from '../service/poll.ts';
import { useKeys } from '../shell/keys.ts';
import { go, hrefOf, route } from '../shell/router.ts';
import { failureRate, SPANS, spanName, throughput, useStats } from './job-numbers.ts';
import { SpanSwitch } from './jobs-view.tsx';
import { PauseButton } from './pause-button.tsx';
import { TriggerForm } from './trigger-form.tsx';

const JOB_EVERY_MS = 3000;

/** One job: its numbers, its limits, and a form that triggers it. */
export function JobView() {
  const { id } = route.value;
  const { state, again } = usePolled(() => client.peek().getJobs(), { everyMs: JOB_EVERY_MS, deps: [id] });
  useKeys({ Escape: () => go(hrefOf('jobs')) });
  const { value, error } = state.value;
  const job = value?.find(({ name }) => name === id);
  if (value === undefined) {
    return (
      <>
        <h1 class="unseen">Job</h1>
        {error === undefined ? (
          <Loading />
        ) : (
          <Failure what="The job could not be read." error={error} again={again} />
        )}
      </>
    );
  }
  if (job === undefined) {
    return (
      <Empty
        title={
          <>
            The service has no job <bdi>{id}</bdi>
          </>
        }
        isPage
      >
        <a href={hrefOf('jobs')}>Show all jobs</a>
      </Empty>
    );
  }
  return (
    <div class="view scrolled">
      <div class="view-head">
        <h1>{job.name}</h1>
        {job.paused && <span class="tag is-waiting">paused: no run of it is started</span>}
        <span class="view-end">
          <a href={hrefOf('runs', '', { job: job.name })}>Its runs</a>
          {!isReadOnly && <PauseButton job={job} again={again} />}
        </span>
      </div>
      <Counts job={job} />
      <Numbers jobName={job.name} />
      <Limits job={job} />
      <JobSchedules job={job} />
      {!isReadOnly && <TriggerForm key={job.name} job={job} />}
    </div>
  );
}

function Counts({ job }: { readonly job: JobInfo }) {
  const { counts } = job;
  if (counts === null) return null;
  return (
    <p class="counts">
      {STATUSES.map((status) => (
        <a key={status} href={hrefOf('runs', '', { job: job.name, status })}>
          <b class="num">{counts[status].toLocaleString()}</b> <Status status={status} />
        </a>
      ))}
    </p>
  );
}

function Numbers({ jobName }: { readonly jobName: string }) {
  const stats = useStats(jobName);
  const span = spanName();
  const { total } = stats ?? {};
  return (
    <section class="numbers" aria-label="Numbers">
      <SpanSwitch />
      <BarChart
        buckets={stats?.buckets ?? []}
        bucket={SPANS[span].bucket}
        count={SPANS[span].count}
        endMs={now.value}
        height={48}
      />
      <dl class="facts">
        <div>
          <dt>ended</dt>
          <dd class="num">{total ? throughput(total, span) : '–'}</dd>
        </div>
        <div>
          <dt>failed</dt>
          <dd class="num">{total ? failureRate(total) : '–'}</dd>
        </div>
        {(['p50', 'p95', 'p99'] as const).map((name) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="num">{total?.duration ? formatDuration(total.duration[name]) : '–'}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Limits({ job: { version, limits } }: { readonly job: JobInfo }) {
  const { concurrency, throttle } = limits;
  const facts = [
    ['version', String(version)],
    ['retries', String(limits.retries)],
    ['timeout', limits.timeout ?? 'none'],
    ['at once', concurrency?.limit?.toLocaleString() ?? 'no limit'],
    ...(concurrency?.perKey == null ? [] : [['per key', String(concurrency.perKey)]]),
    ...(throttle === null
      ? []
      : [
          [
            'starts',
            `${throttle.limit} in ${formatDuration(throttle.per)}${throttle.keyed ? ' for each key' : ''}`,
          ],
        ]),
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class="num">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function JobSchedules({ job: { schedules } }: { readonly job: JobInfo }) {
  if (schedules === null || schedules.length === 0) return null;
  return (
    <p class="counts">
      {schedules.map(({ id, next, isPaused }) => (
        <span key={id}>
          <span class="muted">schedule</span> <a href={hrefOf('schedules')}>{id}</a>{' '}
          {isPaused ? <span class="is-waiting">paused</span> : <Ago at={next} />}
        </span>
      ))}
    </p>
  );
}
