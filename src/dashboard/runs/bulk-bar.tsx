import type { Signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { serviceNow } from '../parts/clock.ts';
import { Confirm } from '../parts/dialog.tsx';
import { textOf } from '../parts/notice.tsx';
import { tell } from '../parts/toasts.tsx';
import { client } from '../service/connection.ts';
import { APPLIES, type Command, commandEach, MAX_RUNS, type Matching, matchingRuns } from './bulk.ts';
import { type RunFilters, toQuery } from './run-filters.ts';
import type { RunList } from './run-list.ts';

const DONE: Readonly<Record<Command, string>> = { cancel: 'cancelled', retry: 'retried', delete: 'deleted' };

/** A command that the reader is asked to confirm. Closing the dialog stops it. */
interface Asked {
  readonly command: Command;
  /** Undefined while those that match are read. */
  readonly matching?: Matching;
  readonly stop: AbortController;
}

export interface BulkBarProps {
  readonly list: RunList;
  readonly filters: RunFilters;
  readonly selected: Signal<ReadonlySet<string>>;
}

/** Commands for the selected runs, each with the number of those that it applies to, or for all that match the filter. */
export function BulkBar({ list, filters, selected }: BulkBarProps) {
  const [asked, setAsked] = useState<Asked | undefined>();
  const [isOfAll, setOfAll] = useState(false);
  const ids = selected.value;
  const rows = list.rows.value.filter(({ id }) => ids.has(id));
  useEffect(() => {
    if (ids.size === 0) setOfAll(false);
  }, [ids]);
  if (ids.size === 0) return null;
  const idsOf = (command: Command) =>
    rows.filter(({ status }) => APPLIES[command].includes(status)).map(({ id }) => id);
  const close = (own: Asked) => {
    own.stop.abort();
    setAsked((now) => (now?.stop === own.stop ? undefined : now));
  };
  const ask = async (command: Command) => {
    const own: Asked = { command, stop: new AbortController() };
    if (!isOfAll) return setAsked({ ...own, matching: { ids: idsOf(command), hasMore: false } });
    setAsked(own);
    try {
      const filter = toQuery(filters, serviceNow());
      const matching = await matchingRuns(client.peek(), command, filter, own.stop.signal);
      setAsked((now) => (now?.stop === own.stop ? { ...own, matching } : now));
    } catch (error) {
      if (own.stop.signal.aborted) return;
      close(own);
      tell('failed', `The runs that match could not be read: ${textOf(error)}`);
    }
  };
  const act = async ({ command, matching, stop }: Asked) => {
    const commanded = matching?.ids ?? [];
    const { done, failures } = await commandEach(client.peek(), command, commanded, stop.signal);
    if (command === 'delete' && !isOfAll && !stop.signal.aborted) list.remove(new Set(commanded));
    list.refresh();
    selected.value = new Set();
    if (done > 0 || failures.length === 0) tell('done', `${countOf(done)} ${DONE[command]}`);
    const [first] = failures;
    if (first !== undefined)
      tell('failed', `${countOf(failures.length)} not ${DONE[command]}: ${textOf(first)}`);
  };
  const canTakeAll = list.hasMore.value && rows.length === list.rows.value.length;
  return (
    <div class="bulk" role="toolbar" aria-label="Commands for the selected runs">
      <span class="num">{isOfAll ? 'All that match' : `${rows.length} selected`}</span>
      {(['cancel', 'retry', 'delete'] as const).map((command) => {
        const { length } = idsOf(command);
        return (
          <button
            key={command}
            type="button"
            disabled={length === 0 && !isOfAll}
            onClick={() => void ask(command)}
          >
            {nameOf(command)}
            {!isOfAll && length > 0 && length < rows.length ? ` ${length}` : ''}
          </button>
        );
      })}
      {canTakeAll && !isOfAll && (
        <button type="button" class="quiet" onClick={() => setOfAll(true)}>
          Select all that match
        </button>
      )}
      <button type="button" class="quiet" onClick={() => (selected.value = new Set())}>
        Clear
      </button>
      {asked !== undefined && (
        <Confirm
          title={`${nameOf(asked.command)} ${wordsOf(asked)}?`}
          verb={`${nameOf(asked.command)} ${wordsOf(asked)}`}
          isDangerous={asked.command !== 'retry'}
          isReady={asked.matching !== undefined && asked.matching.ids.length > 0}
          act={() => act(asked)}
          onClose={() => close(asked)}
        >
          {asked.matching?.hasMore && (
            <p>More runs match. One command takes the newest {MAX_RUNS.toLocaleString()}.</p>
          )}
          <p>
            {asked.command === 'delete' &&
              'They go with their steps, log lines and events. This can’t be undone.'}
            {asked.command === 'cancel' && 'Their steps are aborted, and so are the runs below them.'}
            {asked.command === 'retry' && 'Finished steps keep their results.'}
          </p>
        </Confirm>
      )}
    </div>
  );
}

const nameOf = (command: Command) => `${command.slice(0, 1).toUpperCase()}${command.slice(1)}`;
const countOf = (count: number) => `${count} ${count === 1 ? 'run' : 'runs'}`;
const wordsOf = ({ matching }: Asked) =>
  matching === undefined ? 'all runs that match' : countOf(matching.ids.length);
