import type { JobInfo, Stats } from '../../client.ts';
import { BarChart } from '../parts/bar-chart.tsx';
import { formatDuration, now } from '../parts/clock.ts';
import { Empty, Failure, Loading } from '../parts/notice.tsx';
import { STATUSES, StatusShape } from '../parts/status.tsx';
import { client } from '../service/connection.ts';
import { isReadOnly } from '../service/page-config.ts';
import { usePolled } from '../service/poll.ts';
import { hrefOf, setParams } from '../shell/router.ts';
import { failureRate, SPANS, type SpanName, spanName, throughput, useStats } from './job-numbers.ts';
import { PauseButton } from './pause-button.tsx';

const JOBS_EVERY_MS = 3000;

/** All jobs with their counts and numbers. */
export function JobsView() {
  const { state, again } = usePolled(() => client.peek().getJobs(), { everyMs: JOBS_EVERY_MS });
  const stats = useStats();
  const { value: jobs, error } = state.value;
  return (
    <div class="view scrolled">
      <div class="view-head">
        <h1>Jobs</h1>
        <SpanSwitch />
      </div>
      {jobs === undefined &&
        (error === undefined ? (
          <Loading />
        ) : (
          <Failure what="The jobs could not be read." error={error} again={again} />
        ))}
      {jobs?.length === 0 && (
        <Empty title="The service has no jobs">
          <p>
            Define one with <code>defineJob</code>, and give it to <code>createDurably</code>.
          </p>
        </Empty>
      )}
      {jobs !== undefined && jobs.length > 0 && (
        <div class="table-scroll" tabIndex={0} role="region" aria-label="Jobs">
          <table class="list jobs">
            <thead>
              <tr>
                <th>Job</th>
                {STATUSES.map((status) => (
                  <th key={status} class="num">
                    {status}
                  </th>
                ))}
                <th>{SPANS[spanName()].title}</th>
                <th class="num">Ended</th>
                <th class="num">Failed</th>
                <th class="num">p50</th>
                <th class="num">p95</th>
                <th>
                  <span class="unseen">Commands</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {jobs.map((job) => (
                <JobRow key={job.name} job={job} stats={stats} span={spanName()} again={again} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}

export function SpanSwitch() {
  return (
    <fieldset class="chips">
      <legend class="unseen">Numbers of</legend>
      {(['hour', 'day'] as const).map((name) => (
        <button
          key={name}
          type="button"
          class="chip"
          aria-pressed={spanName() === name}
          onClick={() => setParams({ span: name === 'hour' ? '' : name })}
        >
          {SPANS[name].title}
        </button>
      ))}
    </fieldset>
  );
}

interface JobRowProps {
  readonly job: JobInfo;
  readonly stats: Stats | undefined;
  readonly span: SpanName;
  readonly again: () => void;
}

function JobRow({ job, stats, span, again }: JobRowProps) {
  const own = stats?.jobs.find(({ jobName }) => jobName === job.name);
  const total = own?.total;
  return (
    <tr>
      <td>
        <a href={hrefOf('job', job.name)}>{job.name}</a>
        {job.paused && <span class="tag is-waiting"> paused</span>}
      </td>
      {STATUSES.map((status) => {
        const count = job.counts?.[status];
        return (
          <td key={status} class="num">
            {count === undefined || count === 0 ? (
              <span class="muted">{count ?? ''}</span>
            ) : (
              <a
                class={`count is-${status}`}
                href={hrefOf('runs', '', { job: job.name, status })}
                aria-label={`${count.toLocaleString()} ${status} runs of ${job.name}`}
              >
                <StatusShape status={status} /> {count.toLocaleString()}
              </a>
            )}
          </td>
        );
      })}
      <td class="chart-cell">
        <BarChart
          buckets={own?.buckets ?? []}
          bucket={SPANS[span].bucket}
          count={SPANS[span].count}
          endMs={now.value}
        />
      </td>
      <td class="num">{total ? throughput(total, span) : '–'}</td>
      <td class={`num ${total && total.failed > 0 ? 'is-failed' : ''}`}>
        {total ? failureRate(total) : '–'}
      </td>
      <td class="num">{total?.duration ? formatDuration(total.duration.p50) : '–'}</td>
      <td class="num">{total?.duration ? formatDuration(total.duration.p95) : '–'}</td>
      <td class="row-buttons">
        {!isReadOnly && (
          <>
            <a class="button" href={hrefOf('job', job.name)} aria-label={`Trigger ${job.name}`}>
              Trigger
            </a>
            <PauseButton job={job} again={again} />
          </>
        )}
      </td>
    </tr>
  );
}
