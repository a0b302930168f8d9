import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { formatDuration, serviceNow } from '../parts/clock.ts';
import { isNarrow } from '../parts/media.ts';
import { VirtualRows } from '../parts/virtual-rows.tsx';
import { useKeys } from '../shell/keys.ts';
import { go, hrefOf, route, setParams } from '../shell/router.ts';
import type { LiveRun } from './live-run.ts';
import { moved, placeOf, type TimeRange, ticksOf, usable, zoomed } from './time-scale.ts';
import { TimelineRow } from './timeline-row.tsx';
import { type ShownLane, useUnfoldedRuns } from './unfolded.ts';

const ROW_HEIGHT = 26;
const AXIS_HEIGHT = 26;
/** How often the open bars of a live run grow. */
const GROW_MS = 200;
const ZOOM_STEP = 0.5;

/** The run's time: a row for the run and for each of its steps. */
export function Timeline({ live }: { readonly live: LiveRun }) {
  const { model } = live;
  live.version.value;
  const isLive = model.endMs === null;
  const nowMs = useGrowingNow(isLive);
  const zoom = useSignal<TimeRange | undefined>(undefined);
  const endMs = model.endMs ?? Math.max(model.lastMs, nowMs);
  const unfolded = useUnfoldedRuns(live.id);
  const rows: readonly ShownLane[] = [
    { lane: model.run, runId: live.id, depth: 0 },
    ...unfolded.lanesOf(model, live.id),
  ];
  const selectedName = route.value.params.get('step');
  const selectedAt =
    selectedName === null
      ? 0
      : rows.findIndex(({ lane, depth }, i) => i > 0 && depth === 0 && lane.name === selectedName);

  const select = (index: number) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
    if (row === undefined) return;
    const { lane, depth, runId } = row;
    if (depth > 0) go(hrefOf('run', runId, { step: lane.name, tab: 'step' }));
    else setParams({ step: lane.index < 0 ? '' : lane.name, tab: lane.index < 0 ? 'run' : 'step' });
  };
  useKeys({
    j: () => select(nextOwn(rows, selectedAt, 1)),
    k: () => select(nextOwn(rows, selectedAt, -1)),
    '+': () => zoomBy(ZOOM_STEP),
    '-': () => zoomBy(1 / ZOOM_STEP),
    '0': () => (zoom.value = undefined),
  });
  if (model.events.length === 0) return <div class="timeline is-empty" />;

  const whole = usable(model.beginMs, endMs);
  const range = zoom.value ?? whole;
  const zoomBy = (factor: number, aroundMs = (range.fromMs + range.toMs) / 2) => {
    const next = zoomed(range, whole, factor, aroundMs);
    zoom.value = next.fromMs === whole.fromMs && next.toMs === whole.toMs ? undefined : next;
  };
  const height = Math.min(rows.length, 400) * ROW_HEIGHT + AXIS_HEIGHT + 2;
  return (
    <section class="timeline" aria-label="Timeline" style={{ '--rows-height': `${height}px` }}>
      <VirtualRows
        label="Steps"
        role="list"
        class="timeline-rows"
        followsEnd={isLive && selectedAt <= 0}
        count={rows.length}
        rowHeight={ROW_HEIGHT}
        shown={selectedAt > 0 ? selectedAt : undefined}
        head={
          <div class="axis">
            <Tools
              stepCount={model.steps.length}
              isZoomed={zoom.value !== undefined}
              onZoom={zoomBy}
              onFit={() => (zoom.value = undefined)}
            />
            <Axis range={range} whole={whole} onRange={(next) => (zoom.value = next)} onZoom={zoomBy} />
            <span class="axis-took muted num">{formatDuration(endMs - model.beginMs)}</span>
          </div>
        }
        row={(index) => {
          const row = rows[index];
          if (row === undefined) return null;
          return (
            <TimelineRow
              lane={row.lane}
              depth={row.depth}
              unfolded={unfolded}
              range={range}
              endMs={endMs}
              isSelected={index === selectedAt}
              onSelect={() => select(index)}
            />
          );
        }}
      />
    </section>
  );
}

/** The next row of the page's own run. */
function nextOwn(rows: readonly ShownLane[], from: number, by: 1 | -1): number {
  let at = from + by;
  while ((rows[at]?.depth ?? 0) > 0) at += by;
  return at;
}

interface ToolsProps {
  readonly stepCount: number;
  readonly isZoomed: boolean;
  readonly onZoom: (factor: number) => void;
  readonly onFit: () => void;
}

function Tools({ stepCount, isZoomed, onZoom, onFit }: ToolsProps) {
  return (
    <span class="axis-name">
      <span class="muted num">
        {stepCount.toLocaleString()} {stepCount === 1 ? 'step' : 'steps'}
      </span>
      <button
        type="button"
        class="quiet"
        aria-label="Zoom in"
        title="Zoom in ( + )"
        onClick={() => onZoom(ZOOM_STEP)}
      >
        +
      </button>
      {isZoomed && (
        <>
          <button
            type="button"
            class="quiet"
            aria-label="Zoom out"
            title="Zoom out ( - )"
            onClick={() => onZoom(1 / ZOOM_STEP)}
          >
            −
          </button>
          <button type="button" class="quiet" title="Show all ( 0 )" onClick={onFit}>
            Fit
          </button>
        </>
      )}
    </span>
  );
}

interface AxisProps {
  readonly range: TimeRange;
  readonly whole: TimeRange;
  readonly onRange: (range: TimeRange | undefined) => void;
  readonly onZoom: (factor: number, aroundMs: number) => void;
}

/** The times. Dragging zooms to a part, the wheel zooms and moves. */
function Axis({ range, whole, onRange, onZoom }: AxisProps) {
  const ref = useRef<HTMLDivElement>(null);
  const drag = useSignal<{ readonly from: number; readonly to: number } | undefined>(undefined);
  const placeAt = (clientX: number) => {
    const { left, width } = ref.current?.getBoundingClientRect() ?? { left: 0, width: 1 };
    return Math.max(0, Math.min(1, (clientX - left) / width));
  };
  const timeAt = (place: number) => range.fromMs + place * (range.toMs - range.fromMs);
  const onUp = () => {
    const dragged = drag.peek();
    drag.value = undefined;
    if (dragged === undefined || Math.abs(dragged.to - dragged.from) < 0.01) return;
    const [from, to] = [Math.min(dragged.from, dragged.to), Math.max(dragged.from, dragged.to)];
    onRange(usable(timeAt(from), timeAt(to)));
  };
  const onWheel = (event: WheelEvent) => {
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    const delta = event.deltaY || event.deltaX;
    if (event.ctrlKey) onZoom(delta > 0 ? 1.25 : 0.8, timeAt(placeAt(event.clientX)));
    else onRange(moved(range, whole, ((range.toMs - range.fromMs) * delta) / 1000));
  };
  const ticks = ticksOf(range, whole.fromMs, isNarrow.value ? 3 : 8);
  return (
    <div
      ref={ref}
      class="axis-track num"
      title="Drag to zoom, ctrl and the wheel too"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        const from = placeAt(event.clientX);
        drag.value = { from, to: from };
      }}
      onPointerMove={(event) => {
        if (drag.peek()) drag.value = { from: drag.peek()?.from ?? 0, to: placeAt(event.clientX) };
      }}
      onPointerUp={onUp}
      onWheel={onWheel}
    >
      {ticks.map(({ atMs, text }) => (
        <span key={atMs} class="tick" style={{ left: `${placeOf(atMs, range) * 100}%` }}>
          {text}
        </span>
      ))}
      {drag.value && (
        <span
          class="axis-drag"
          style={{
            left: `${Math.min(drag.value.from, drag.value.to) * 100}%`,
            width: `${Math.abs(drag.value.to - drag.value.from) * 100}%`,
          }}
        />
      )}
    </div>
  );
}

/** The present time, which goes on while something is open. */
function useGrowingNow(isGrowing: boolean): number {
  const nowMs = useSignal(serviceNow());
  useEffect(() => {
    if (!isGrowing) return;
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') nowMs.value = serviceNow();
    }, GROW_MS);
    return () => clearInterval(timer);
  }, [isGrowing]);
  return nowMs.value;
}
