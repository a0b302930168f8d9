import type { Signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import type { RunStatus } from '../../client.ts';
import { serviceNow } from '../parts/clock.ts';
import { Confirm } from '../parts/dialog.tsx';
import { textOf } from '../parts/notice.tsx';
import { tell } from '../parts/toasts.tsx';
import { client } from '../service/connection.ts';
import { isFiltered, type RunFilters, toQuery } from './run-filters.ts';
import type { RunList } from './run-list.ts';

type Command = 'cancel' | 'retry' | 'delete';

/** The statuses in which a run can be cancelled, retried or deleted. */
const APPLIES: Readonly<Record<Command, readonly RunStatus[]>> = {
  cancel: ['pending', 'waiting', 'running'],
  retry: ['failed', 'cancelled'],
  delete: ['completed', 'failed', 'cancelled'],
};
const DONE: Readonly<Record<Command, string>> = { cancel: 'cancelled', retry: 'retried', delete: 'deleted' };
/** How many commands are under way at once. */
const AT_ONCE = 6;

interface Commanded {
  readonly done: number;
  readonly failures: readonly unknown[];
}

export interface BulkBarProps {
  readonly list: RunList;
  readonly filters: RunFilters;
  readonly selected: Signal<ReadonlySet<string>>;
}

/** Commands for the selected runs, each with the number of those that it applies to, or for all that match the filter. */
export function BulkBar({ list, filters, selected }: BulkBarProps) {
  const [asked, setAsked] = useState<Command | undefined>();
  const [isOfAll, setOfAll] = useState(false);
  const ids = selected.value;
  const rows = list.rows.value.filter(({ id }) => ids.has(id));
  useEffect(() => {
    if (ids.size === 0) setOfAll(false);
  }, [ids]);
  if (ids.size === 0) return null;
  const idsOf = (command: Command) =>
    rows.filter(({ status }) => APPLIES[command].includes(status)).map(({ id }) => id);
  const wordsOf = (command: Command) => (isOfAll ? 'all runs that match' : countOf(idsOf(command).length));
  const act = async (command: Command) => {
    const { done, failures } = isOfAll
      ? await commandAll(command, filters)
      : await commandEach(command, idsOf(command));
    if (command === 'delete' && !isOfAll) list.remove(new Set(idsOf(command)));
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
      <span class="num">{isOfAll ? 'All that match' : `${ids.size} selected`}</span>
      {(['cancel', 'retry', 'delete'] as const).map((command) => {
        const { length } = idsOf(command);
        return (
          <button
            key={command}
            type="button"
            disabled={length === 0 && !isOfAll}
            onClick={() => setAsked(command)}
          >
            {nameOf(command)}
            {!isOfAll && length > 0 && length < ids.size ? ` ${length}` : ''}
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
          title={`${nameOf(asked)} ${wordsOf(asked)}?`}
          verb={`${nameOf(asked)} ${wordsOf(asked)}`}
          isDangerous={asked !== 'retry'}
          act={() => act(asked)}
          onClose={() => setAsked(undefined)}
        >
          <p>
            {asked === 'delete' && 'They go with their steps, log lines and events. This can’t be undone.'}
            {asked === 'cancel' && 'Their steps are aborted, and so are the runs below them.'}
            {asked === 'retry' && 'Finished steps keep their results.'}
          </p>
        </Confirm>
      )}
    </div>
  );
}

const nameOf = (command: Command) => `${command.slice(0, 1).toUpperCase()}${command.slice(1)}`;
const countOf = (count: number) => `${count} ${count === 1 ? 'run' : 'runs'}`;

/** Commands the runs that match, as many requests as it takes. */
async function commandAll(command: Command, filters: RunFilters): Promise<Commanded> {
  const service = client.peek();
  const query = toQuery(filters, serviceNow());
  const filter = { ...query, ...(isFiltered(filters) ? {} : { all: true }) };
  let done = 0;
  for (;;) {
    const { count, more } = await {
      cancel: () => service.cancelRuns(filter),
      retry: () => service.retryRuns(filter),
      delete: () => service.deleteRuns(filter),
    }[command]();
    done += count;
    if (!more || count === 0) return { done, failures: [] };
  }
}

async function commandEach(command: Command, ids: readonly string[]): Promise<Commanded> {
  const service = client.peek();
  const one = {
    cancel: (id: string) => service.cancel(id),
    retry: (id: string) => service.retry(id),
    delete: (id: string) => service.deleteRun(id),
  }[command];
  const waiting = [...ids];
  const failures: unknown[] = [];
  const work = async () => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      await one(id).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { done: ids.length - failures.length, failures };
}
