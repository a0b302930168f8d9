import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { isNarrow } from '../parts/media.ts';
import { Empty, Failure, Loading } from '../parts/notice.tsx';
import { VirtualRows } from '../parts/virtual-rows.tsx';
import { client } from '../service/connection.ts';
import { isReadOnly } from '../service/page-config.ts';
import { useKeys } from '../shell/keys.ts';
import { go, hrefOf, route } from '../shell/router.ts';
import { BulkBar } from './bulk-bar.tsx';
import { FilterBar } from './filter-bar.tsx';
import { isFiltered, readFilters } from './run-filters.ts';
import { RunHead, RunLine } from './run-line.tsx';
import { RunList } from './run-list.ts';
import type { RunRow } from './run-patch.ts';

const ROW_HEIGHT = 32;
const NARROW_ROW_HEIGHT = 52;
/** Above this place of the scrolled list, the reader is at its beginning. */
const AT_TOP_PX = 4;

/** The list of runs: live, filtered, and with commands for what is selected. */
export function RunsView() {
  const query = route.value.params.toString();
  const service = client.value;
  const { filters, wanted } = useMemo(() => {
    const read = readFilters(new URLSearchParams(query));
    return { filters: read, wanted: new RunList(read) };
  }, [query, service]);
  const selected = useSignal<ReadonlySet<string>>(new Set());
  const current = useSignal<{ readonly id: string; readonly index: number } | undefined>(undefined);
  useEffect(() => {
    wanted.start();
    selected.value = new Set();
    current.value = undefined;
    return () => wanted.stop();
  }, [wanted]);
  // Until the list for another filter is read, the one before it stays.
  const last = useRef(wanted);
  if (wanted.state.value.kind !== 'loading') last.current = wanted;
  const list = last.current;

  const rows = list.rows.value;
  const at = placeOf(rows, current.value);
  const move = (by: number) => {
    const index = Math.max(0, Math.min(rows.length - 1, at + by));
    const row = rows[index];
    if (row) current.value = { id: row.id, index };
  };
  const toggle = (id: string) => {
    const next = new Set(selected.peek());
    if (!next.delete(id)) next.add(id);
    selected.value = next;
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    Enter: () => {
      const row = rows[at];
      if (row) go(hrefOf('run', row.id));
    },
    x: () => {
      const row = rows[at];
      if (row && !isReadOnly) toggle(row.id);
    },
    Escape: () => {
      selected.value = new Set();
      current.value = undefined;
    },
  });

  const state = list.state.value;
  const held = list.held.value.length;
  const rowHeight = isNarrow.value ? NARROW_ROW_HEIGHT : ROW_HEIGHT;
  const allSelected = rows.length > 0 && rows.every(({ id }) => selected.value.has(id));
  return (
    <div class="view runs">
      <h1 class="unseen">Runs</h1>
      <FilterBar filters={filters} />
      {!isReadOnly && <BulkBar list={list} filters={filters} selected={selected} />}
      {held > 0 && (
        <button
          type="button"
          class="held primary"
          onClick={() => {
            list.isHolding = false;
            list.release();
            const scroller = document.querySelector('.runs .virtual');
            if (scroller) scroller.scrollTop = 0;
          }}
        >
          ↑ {held} new
        </button>
      )}
      {state.kind === 'loading' && <Loading />}
      {state.kind === 'failed' && (
        <Failure what="The runs could not be read." error={state.error} again={() => wanted.start()} />
      )}
      {state.kind === 'ready' && rows.length === 0 && <NoRuns isFiltered={isFiltered(filters)} />}
      {state.kind === 'ready' && rows.length > 0 && (
        <VirtualRows
          key={JSON.stringify(list.filters)}
          label="Runs"
          role="rowgroup"
          rowCount={list.hasMore.value ? -1 : rows.length + 1}
          count={rows.length}
          rowHeight={rowHeight}
          shown={at >= 0 ? at : undefined}
          onEnd={() => void list.more()}
          onScroll={(scroller) => {
            list.isHolding = scroller.scrollTop > AT_TOP_PX;
            if (!list.isHolding) list.release();
          }}
          head={
            <RunHead
              isAllSelected={allSelected}
              toggleAll={() => {
                selected.value = allSelected ? new Set() : new Set(rows.map(({ id }) => id));
              }}
            />
          }
          row={(index) => {
            const row = rows[index];
            if (row === undefined) return null;
            return (
              <RunLine
                row={row}
                index={index}
                isCurrent={index === at}
                isSelected={selected.value.has(row.id)}
                toggle={toggle}
              />
            );
          }}
        />
      )}
      {list.moreError.value !== undefined && (
        <Failure
          what="More runs could not be read."
          error={list.moreError.value}
          again={() => void list.more()}
        />
      )}
    </div>
  );
}

/** Where the current row is. It moves as runs come, and if it has left the list, the one that took its place is current. */
function placeOf(
  rows: readonly RunRow[],
  current: { readonly id: string; readonly index: number } | undefined,
): number {
  if (current === undefined) return -1;
  const found = rows.findIndex(({ id }) => id === current.id);
  return found >= 0 ? found : Math.min(current.index, rows.length - 1);
}

function NoRuns({ isFiltered: isNarrowed }: { readonly isFiltered: boolean }) {
  if (isNarrowed) {
    return (
      <Empty title="No run matches">
        <a href={hrefOf('runs')}>Show all runs</a>
      </Empty>
    );
  }
  return (
    <Empty title="No runs yet">
      <p>
        Trigger one from <a href={hrefOf('jobs')}>Jobs</a>, or with <code>POST /trigger</code>. It appears
        here at once.
      </p>
    </Empty>
  );
}
