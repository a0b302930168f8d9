import type { RunStatus } from '../../client.ts';
import { formatDuration } from '../parts/clock.ts';
import { StatusShape } from '../parts/status.tsx';
import { hrefOf } from '../shell/router.ts';
import type { Bar, Lane } from './lane.ts';
import { placeOf, type TimeRange } from './time-scale.ts';
import type { UnfoldedRuns } from './unfolded.ts';

const STATUS_OF: Readonly<Record<Lane['status'], RunStatus>> = {
  open: 'running',
  waiting: 'waiting',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
};

export interface TimelineRowProps {
  readonly lane: Lane;
  readonly depth: number;
  readonly unfolded: UnfoldedRuns;
  readonly range: TimeRange;
  /** Where open bars end. */
  readonly endMs: number;
  readonly isSelected: boolean;
  readonly onSelect: () => void;
}

/** The name of a step and its bars: one for each try, hatched ones for waits. */
export function TimelineRow({ lane, depth, unfolded, range, endMs, isSelected, onSelect }: TimelineRowProps) {
  const isRun = lane.index < 0;
  const { childRunId } = lane;
  const isOpen = childRunId !== null && unfolded.isOpen(childRunId);
  const [first, last] = [lane.bars[0], lane.bars.at(-1)];
  const spentMs = first && last ? (last.toMs ?? endMs) - first.fromMs : 0;
  return (
    <div
      class={`lane ${isSelected ? 'is-selected' : ''} ${isRun ? 'is-run' : ''}`}
      style={{ '--depth': depth }}
      role="listitem"
    >
      <button type="button" class="lane-name" title={lane.name} aria-pressed={isSelected} onClick={onSelect}>
        <StatusShape
          status={
            isRun && first?.kind === 'queued' && lane.bars.length === 1 ? 'pending' : STATUS_OF[lane.status]
          }
        />
        <span class="lane-text">{lane.name}</span>
        <span class="unseen">
          {STATUS_OF[lane.status]}, {formatDuration(spentMs)}
        </span>
        {lane.tries > 1 && <span class="lane-tries num">{lane.tries}×</span>}
      </button>
      {childRunId !== null && (
        <span class="lane-child">
          <button
            type="button"
            class="quiet"
            aria-expanded={isOpen}
            aria-label={`Steps of the run of ${lane.name}`}
            onClick={() => unfolded.toggle(childRunId)}
          >
            {isOpen ? '▾' : '▸'}
          </button>
          <a href={hrefOf('run', childRunId)} title={`Open ${childRunId}`}>
            run ↗
          </a>
        </span>
      )}
      <div class="lane-track" onClick={onSelect}>
        {lane.bars.map((bar, i) => (
          <BarShape key={i} bar={bar} range={range} endMs={endMs} kind={lane.kind} isRun={isRun} />
        ))}
      </div>
      <span class="lane-took num">{formatDuration(spentMs)}</span>
    </div>
  );
}

interface BarProps {
  readonly bar: Bar;
  readonly range: TimeRange;
  readonly endMs: number;
  readonly kind: Lane['kind'];
  readonly isRun: boolean;
}

function BarShape({ bar, range, endMs, kind, isRun }: BarProps) {
  const [from, to] = [placeOf(bar.fromMs, range), placeOf(bar.toMs ?? endMs, range)];
  if (to < 0 || from > 1) return null;
  const [left, right] = [Math.max(0, from), Math.min(1, to)];
  const isWait = bar.kind === 'wait' || (kind !== 'run' && bar.kind === 'try');
  const classes = [
    'bar-shape',
    isWait ? 'is-wait' : `is-${bar.kind}`,
    `out-${bar.outcome}`,
    isRun && 'of-run',
    bar.toMs === null && 'is-growing',
  ];
  const words = isWait && bar.kind === 'try' ? kind : bar.text;
  const title = [
    words,
    bar.outcome === 'open' ? '' : bar.outcome,
    formatDuration((bar.toMs ?? endMs) - bar.fromMs),
    bar.error ?? '',
  ]
    .filter((part) => part !== '')
    .join(' · ');
  return (
    <span
      class={classes.filter(Boolean).join(' ')}
      title={title}
      style={{ left: `${left * 100}%`, width: `max(2px, ${(right - left) * 100}%)` }}
    />
  );
}
