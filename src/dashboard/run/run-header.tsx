import type { Run } from '../../client.ts';
import { formatDuration, now } from '../parts/clock.ts';
import { Copy } from '../parts/copy.tsx';
import { Status } from '../parts/status.tsx';
import { Ago } from '../parts/time.tsx';
import { WaitText } from '../runs/run-line.tsx';
import { isReadOnly } from '../service/page-config.ts';
import { hrefOf } from '../shell/router.ts';
import type { LiveRun } from './live-run.ts';
import { RunActions } from './run-actions.tsx';

/** What a run is, how it stands, and what can be done with it now. */
export function RunHeader({ run, live }: { readonly run: Run; readonly live: LiveRun }) {
  return (
    <header class="run-header">
      <div class="run-title">
        <Status status={run.status} />
        <h1>
          <a href={hrefOf('job', run.jobName)}>{run.jobName}</a>
        </h1>
        <span class="run-id">
          <span class="mono">{run.id}</span>
          <Copy label="Copy id" text={() => run.id} />
        </span>
        {!isReadOnly && <RunActions run={run} live={live} />}
      </div>
      <Facts run={run} />
      <Progress run={run} />
      {run.waits.length > 0 && (
        <p class="run-waits">
          {run.waits.map((wait, i) => (
            <span key={i}>
              waits <WaitText wait={wait} />
              {wait.stepName !== null && (
                <span class="muted">
                  {' '}
                  in step <bdi>{wait.stepName}</bdi>
                </span>
              )}
            </span>
          ))}
        </p>
      )}
      {run.error !== null && (
        <p class="run-error" role="alert" tabIndex={0}>
          <strong>{run.errorDetail?.name ?? 'Error'}</strong> <bdi>{run.error}</bdi>
          {run.failedStepName !== null && run.failedStepName !== 'unknown' && (
            <span class="muted">
              {' '}
              in step{' '}
              <a href={hrefOf('run', run.id, { step: run.failedStepName, tab: 'step' })}>
                {run.failedStepName}
              </a>
            </span>
          )}
        </p>
      )}
    </header>
  );
}

function Facts({ run }: { readonly run: Run }) {
  const { startedAt, completedAt } = run;
  const end = completedAt === null ? now.value : Date.parse(completedAt);
  const queuedMs = (startedAt === null ? end : Date.parse(startedAt)) - Date.parse(run.createdAt);
  return (
    <div class="facts-line">
      <dl class="facts">
        <Fact name="created">
          <Ago at={run.createdAt} />
        </Fact>
        <Fact name={startedAt === null ? 'queued for' : 'queued'}>{formatDuration(queuedMs)}</Fact>
        {startedAt !== null && (
          <Fact name={completedAt === null ? 'running for' : 'took'}>
            {formatDuration(end - Date.parse(startedAt))}
          </Fact>
        )}
        <Fact name="attempt">{run.attempt}</Fact>
        <Fact name="steps done">{run.stepCount}</Fact>
        {run.concurrencyKey !== null && <Fact name="concurrency key">{run.concurrencyKey}</Fact>}
        {run.idempotencyKey !== null && <Fact name="idempotency key">{run.idempotencyKey}</Fact>}
        {run.scheduleId !== null && (
          <Fact name="schedule">
            <a href={hrefOf('runs', '', { schedule: run.scheduleId })}>{run.scheduleId}</a>
          </Fact>
        )}
        {run.parentRunId !== null && (
          <Fact name="triggered by">
            <a class="mono" href={hrefOf('run', run.parentRunId)}>
              …{run.parentRunId.slice(-6)}
            </a>
          </Fact>
        )}
      </dl>
      {Object.entries(run.labels).map(([key, value]) => (
        <a key={key} class="label" href={hrefOf('runs', '', { label: `${key}=${value}` })}>
          <bdi>{key}</bdi>=<b>{value}</b>
        </a>
      ))}
    </div>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class="num">{children}</dd>
    </div>
  );
}

function Progress({ run: { progress, status } }: { readonly run: Run }) {
  if (progress === null || status === 'completed') return null;
  const { current, total, message } = progress;
  return (
    <p class="run-progress">
      {total !== undefined && total > 0 && (
        <progress max={total} value={Math.min(current, total)} aria-label="Progress" />
      )}
      <span class="num">
        {current}
        {total !== undefined && ` of ${total}`}
      </span>
      {message !== undefined && <span class="muted">{message}</span>}
    </p>
  );
}
