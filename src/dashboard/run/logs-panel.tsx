import { useSignal } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import type { LogLevel } from '../../client.ts';
import { formatClock } from '../parts/clock.ts';
import { JsonTree } from '../parts/json-tree.tsx';
import { VirtualRows } from '../parts/virtual-rows.tsx';
import { useKeys } from '../shell/keys.ts';
import type { LiveRun } from './live-run.ts';
import type { RunLogLine } from './run-model.ts';

const ROW_HEIGHT = 24;
const LEVELS: readonly LogLevel[] = ['info', 'warn', 'error'];
/** The reader follows the end while it is this near. */
const NEAR_END_PX = 30;

/** The log lines, live, by level, step and text. It follows the end until the reader scrolls away from it. */
export function LogsPanel({ live, stepName }: { readonly live: LiveRun; readonly stepName: string | null }) {
  const { logs } = live.model;
  const version = live.version.value;
  const level = useSignal<LogLevel>('info');
  const text = useSignal('');
  const isOfStep = useSignal(stepName !== null);
  const open = useSignal<RunLogLine | undefined>(undefined);
  const isFollowing = useSignal(live.model.endMs === null);
  const scroller = useRef<HTMLDivElement>(null);
  const searchRef = useRef<HTMLInputElement>(null);
  useKeys({ '/': () => searchRef.current?.focus() });

  const step = isOfStep.value ? stepName : null;
  const [least, needle] = [LEVELS.indexOf(level.value), text.value.toLowerCase()];
  const lines = useMemo(
    () =>
      least === 0 && needle === '' && step === null
        ? logs
        : logs.filter(
            (line) =>
              LEVELS.indexOf(line.level) >= least &&
              (step === null || line.stepName === step) &&
              (needle === '' || line.message.toLowerCase().includes(needle)),
          ),
    [version, least, needle, step],
  );
  const count = lines.length;
  return (
    <div class="logs">
      <div class="log-tools">
        <select
          aria-label="Least level"
          value={level.value}
          onChange={(event) => {
            level.value = LEVELS.find((one) => one === event.currentTarget.value) ?? 'info';
          }}
        >
          <option value="info">all levels</option>
          <option value="warn">warn and error</option>
          <option value="error">error</option>
        </select>
        <input
          ref={searchRef}
          type="search"
          placeholder="Find in log lines"
          aria-label="Find in log lines"
          value={text.value}
          onInput={(event) => (text.value = event.currentTarget.value)}
        />
        {stepName !== null && (
          <label>
            <input
              type="checkbox"
              checked={isOfStep.value}
              onChange={(event) => (isOfStep.value = event.currentTarget.checked)}
            />{' '}
            only of <bdi>{stepName}</bdi>
          </label>
        )}
        <span class="muted num">{count.toLocaleString()} lines</span>
        {!isFollowing.value && live.model.endMs === null && (
          <button
            type="button"
            onClick={() => {
              isFollowing.value = true;
              if (scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
            }}
          >
            ↓ Follow
          </button>
        )}
      </div>
      {count === 0 && (
        <p class="muted pad">{logs.length === 0 ? 'The run has written no log line.' : 'No line matches.'}</p>
      )}
      {count > 0 && (
        <VirtualRows
          label="Log lines"
          role="list"
          class="log-rows"
          count={count}
          rowHeight={ROW_HEIGHT}
          followsEnd={live.model.endMs === null}
          scrollerRef={scroller}
          onScroll={(element) => {
            isFollowing.value = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END_PX;
          }}
          row={(index) => {
            const line = lines[index];
            if (line === undefined) return null;
            return (
              <div
                role="listitem"
                class={`log-line level-${line.level} ${open.value === line ? 'is-selected' : ''}`}
              >
                <button type="button" onClick={() => (open.value = open.peek() === line ? undefined : line)}>
                  <time class="num muted" dateTime={line.timestamp}>
                    {formatClock(line.timestamp)}
                  </time>
                  <span class="log-level">{line.level}</span>
                  <span class="log-step muted">{line.stepName ?? ''}</span>
                  <span class="log-text">{line.message}</span>
                </button>
              </div>
            );
          }}
        />
      )}
      {open.value && (
        <div class="inspector">
          <p class="log-whole">{open.value.message}</p>
          {open.value.data !== null && <JsonTree label="the line’s data" value={open.value.data} />}
        </div>
      )}
    </div>
  );
}
