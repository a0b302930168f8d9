import type { Signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import { Confirm } from '../parts/dialog.tsx';
import { textOf } from '../parts/notice.tsx';
import { tell } from '../parts/toasts.tsx';
import { client } from '../service/connection.ts';
import type { RunStatus } from '../../client.ts';
import type { RunFilters } from './run-filters.ts';
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

export interface BulkBarProps {
  readonly list: RunList;
  readonly filters: RunFilters;
  readonly selected: Signal<ReadonlySet<string>>;
}

/** Commands for the selected runs, each with the number of those that it applies to. */
export function BulkBar({ list, selected }: BulkBarProps) {
  const [asked, setAsked] = useState<Command | undefined>();
  const ids = selected.value;
  if (ids.size === 0) return null;
  const rows = list.rows.value.filter(({ id }) => ids.has(id));
  const fits = (command: Command) => rows.filter(({ status }) => APPLIES[command].includes(status));
  const act = async (command: Command) => {
    const { done, failures } = await commandEach(
      command,
      fits(command).map(({ id }) => id),
    );
    if (command === 'delete') list.remove(new Set(done));
    list.refresh();
    selected.value = new Set();
    if (done.length > 0) tell('done', `${countOf(done.length)} ${DONE[command]}`);
    const [first] = failures;
    if (first !== undefined)
      tell('failed', `${countOf(failures.length)} not ${DONE[command]}: ${textOf(first)}`);
  };
  return (
    <div class="bulk" role="toolbar" aria-label="Commands for the selected runs">
      <span class="num">{ids.size} selected</span>
      {(['cancel', 'retry', 'delete'] as const).map((command) => {
        const { length } = fits(command);
        return (
          <button key={command} type="button" disabled={length === 0} onClick={() => setAsked(command)}>
            {nameOf(command)}
            {length > 0 && length < ids.size ? ` ${length}` : ''}
          </button>
        );
      })}
      <button type="button" class="quiet" onClick={() => (selected.value = new Set())}>
        Clear
      </button>
      {asked !== undefined && (
        <Confirm
          title={`${nameOf(asked)} ${countOf(fits(asked).length)}?`}
          verb={`${nameOf(asked)} ${countOf(fits(asked).length)}`}
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

async function commandEach(command: Command, ids: readonly string[]) {
  const service = client.peek();
  const one = {
    cancel: (id: string) => service.cancel(id),
    retry: (id: string) => service.retry(id),
    delete: (id: string) => service.deleteRun(id),
  }[command];
  const waiting = [...ids];
  const done: string[] = [];
  const failures: unknown[] = [];
  const work = async () => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      try {
        await one(id);
        done.push(id);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { done, failures };
}
