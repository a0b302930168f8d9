import { formatDuration, now } from '../parts/clock.ts';
import { Status } from '../parts/status.tsx';
import { Ago, Duration } from '../parts/time.tsx';
import { isReadOnly } from '../service/page-config.ts';
import { hrefOf } from '../shell/router.ts';
import type { RunRow } from './run-patch.ts';

type RunWait = RunRow['waits'][number];

/** How many characters of an id's end are shown: its beginning is the time. */
const ID_END = 6;

export function RunHead({
  isAllSelected,
  toggleAll,
}: {
  readonly isAllSelected: boolean;
  readonly toggleAll: () => void;
}) {
  return (
    <div class="run-line run-head" role="row">
      <span role="columnheader" class="c-check">
        {isReadOnly ? (
          <span class="unseen">Selected</span>
        ) : (
          <input
            type="checkbox"
            aria-label="Select all that are shown"
            checked={isAllSelected}
            onChange={toggleAll}
          />
        )}
      </span>
      <span role="columnheader" class="c-status">
        Status
      </span>
      <span role="columnheader" class="c-job">
        Job
      </span>
      <span role="columnheader" class="c-id">
        Run
      </span>
      <span role="columnheader" class="c-what">
        What
      </span>
      <span role="columnheader" class="c-try num">
        Try
      </span>
      <span role="columnheader" class="c-time num">
        Created
      </span>
      <span role="columnheader" class="c-took num">
        Took
      </span>
    </div>
  );
}

export interface RunLineProps {
  readonly row: RunRow;
  readonly index: number;
  readonly isCurrent: boolean;
  readonly isSelected: boolean;
  readonly toggle: (id: string) => void;
}

export function RunLine({ row, index, isCurrent, isSelected, toggle }: RunLineProps) {
  const classes = ['run-line', isCurrent && 'is-current', isSelected && 'is-selected']
    .filter(Boolean)
    .join(' ');
  return (
    <div class={classes} role="row" aria-rowindex={index + 2} data-run={row.id}>
      <span role="cell" class="c-check">
        {!isReadOnly && (
          <input
            type="checkbox"
            aria-label={`Select ${row.id}`}
            checked={isSelected}
            onChange={() => toggle(row.id)}
          />
        )}
      </span>
      <span role="cell" class="c-status">
        <Status status={row.status} />
      </span>
      <span role="cell" class="c-job" title={row.jobName}>
        {row.jobName}
      </span>
      <span role="cell" class="c-id">
        <a class="row-link mono" href={hrefOf('run', row.id)} title={row.id}>
          …{row.id.slice(-ID_END)}
        </a>
      </span>
      <span role="cell" class="c-what">
        <What row={row} />
      </span>
      <span role="cell" class="c-try num">
        {row.attempt > 1 ? row.attempt : ''}
      </span>
      <span role="cell" class="c-time num">
        <Ago at={row.createdAt} />
      </span>
      <span role="cell" class="c-took num">
        {row.startedAt !== null && <Duration from={row.startedAt} to={row.completedAt} />}
      </span>
    </div>
  );
}

/** What is worth knowing of a run in its status: its error, what it waits for, how far it is; and its labels. */
function What({ row }: { readonly row: RunRow }) {
  const { progress } = row;
  const total = progress?.total;
  return (
    <>
      {row.status === 'failed' && row.error !== null && (
        <span class="error-text" title={row.error}>
          {row.error}
        </span>
      )}
      {row.status === 'waiting' && row.waits.slice(0, 2).map((wait, i) => <WaitText key={i} wait={wait} />)}
      {row.status === 'waiting' && row.waits.length > 2 && <span class="muted">+{row.waits.length - 2}</span>}
      {row.status === 'running' && progress !== null && total !== undefined && total > 0 && (
        <progress max={total} value={Math.min(progress.current, total)} aria-label="Progress" />
      )}
      {row.status === 'running' && progress !== null && (
        <span class="muted">
          {progress.message ?? `${progress.current}${total === undefined ? '' : ` of ${total}`}`}
        </span>
      )}
      {Object.entries(row.labels).map(([key, value]) => (
        <span class="label" key={key} title={`${key}=${value}`}>
          <bdi>{key}</bdi>=<b>{value}</b>
        </span>
      ))}
    </>
  );
}

const WAIT_WORDS: Readonly<Record<RunWait['kind'], string>> = {
  delay: 'to start',
  retry: 'to try again',
  sleep: 'sleeps',
  signal: 'for signal',
  run: 'for run',
};

/** What a run waits for, and until when. */
export function WaitText({ wait }: { readonly wait: RunWait }) {
  const { kind, until } = wait;
  const left = until === null ? null : Date.parse(until) - now.value;
  return (
    <span class="wait">
      {WAIT_WORDS[kind]} {kind === 'signal' && <b>{wait.signal ?? wait.stepName}</b>}
      {kind === 'run' && wait.runId && (
        <a class="mono" href={hrefOf('run', wait.runId)}>
          …{wait.runId.slice(-ID_END)}
        </a>
      )}
      {kind === 'sleep' && wait.stepName !== null && <b>{wait.stepName}</b>}
      {left !== null && (
        <time dateTime={until ?? ''} title={until ?? ''} class="num">
          {' '}
          {left > 0
            ? `${kind === 'signal' || kind === 'run' ? 'at most' : 'for'} ${formatDuration(left)}`
            : 'due'}
        </time>
      )}
    </span>
  );
}
