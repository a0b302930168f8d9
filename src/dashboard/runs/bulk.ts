import type { DurablyClient, RunStatus } from '../../client.ts';

export type Command = 'cancel' | 'retry' | 'delete';

/** The statuses in which a run can be cancelled, retried or deleted. */
export const APPLIES: Readonly<Record<Command, readonly RunStatus[]>> = {
  cancel: ['pending', 'waiting', 'running'],
  retry: ['failed', 'cancelled'],
  delete: ['completed', 'failed', 'cancelled'],
};
/** The most runs that one command takes. */
export const MAX_RUNS = 10_000;
const PAGE_SIZE = 1000;
/** How many commands are under way at once. */
const AT_ONCE = 6;

type Filter = Parameters<DurablyClient['getRunsPage']>[0];

export interface Matching {
  readonly ids: readonly string[];
  /** Whether there are more than {@link MAX_RUNS}. */
  readonly hasMore: boolean;
}

/**
 * The runs that match a filter and to which a command applies, newest first. They are read before the first is commanded:
 * a run that fails again after its retry would match again.
 */
export async function matchingRuns(
  service: Pick<DurablyClient, 'runPages'>,
  command: Command,
  filter: NonNullable<Filter>,
  signal?: AbortSignal,
): Promise<Matching> {
  const wanted = [filter.status ?? APPLIES[command]].flat();
  const status = APPLIES[command].filter((one) => wanted.includes(one));
  const ids = new Set<string>();
  if (status.length === 0) return { ids: [], hasMore: false };
  const pages = service.runPages({ ...filter, status, fields: ['id'], limit: PAGE_SIZE }, { signal });
  for await (const page of pages) {
    for (const { id } of page) ids.add(id);
    if (ids.size > MAX_RUNS) break;
  }
  return { ids: [...ids].slice(0, MAX_RUNS), hasMore: ids.size > MAX_RUNS };
}

export interface Commanded {
  readonly done: number;
  readonly failures: readonly unknown[];
}

/** Commands each run once. When the signal aborts, no further one is begun. */
export async function commandEach(
  service: Pick<DurablyClient, 'cancel' | 'retry' | 'deleteRun'>,
  command: Command,
  ids: readonly string[],
  signal?: AbortSignal,
): Promise<Commanded> {
  const one = {
    cancel: (id: string) => service.cancel(id),
    retry: (id: string) => service.retry(id),
    delete: (id: string) => service.deleteRun(id),
  }[command];
  const failures: unknown[] = [];
  let begun = 0;
  const work = async () => {
    while (begun < ids.length && !signal?.aborted) {
      const id = ids[begun++] as string;
      await one(id).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { done: begun - failures.length, failures };
}
