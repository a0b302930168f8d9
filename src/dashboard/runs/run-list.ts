import { batch, computed, signal } from '@preact/signals';
import type { JournalEvent } from '../../client.ts';
import { serviceNow } from '../parts/clock.ts';
import { client } from '../service/connection.ts';
import { follow } from '../service/follow.ts';
import {
  type Listed,
  type Newest,
  PAGE_SIZE,
  type PageRequest,
  readNewest,
  released,
  withNewest,
} from './newest-runs.ts';
import { type RunFilters, toQuery } from './run-filters.ts';
import { patchOf, ROW_FIELDS, type RunRow } from './run-patch.ts';

/** How soon after an event the newest runs are read, and how often at most. */
const NEWEST_AFTER_MS = 200;
const NEWEST_EVERY_MS = 1000;
/** Events do not tell all: a wait that is over, or a run that comes to match a text. So the newest runs are read anyway. */
const RECONCILE_MS = 10_000;

export type ListState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly error: unknown };

/** The runs that match a filter, newest first, as they change. */
export class RunList {
  readonly state = signal<ListState>({ kind: 'loading' });
  readonly rows = signal<readonly RunRow[]>([]);
  /** New runs that are kept back while the reader is elsewhere in the list. */
  readonly held = signal<readonly RunRow[]>([]);
  readonly hasMore = computed(() => this.#cursor.value !== null);
  readonly moreError = signal<unknown>(undefined);
  /** Whether new runs are kept back. */
  isHolding = false;

  readonly filters: RunFilters;
  readonly #cursor = signal<string | null>(null);
  #heldCursor: Listed['heldCursor'];
  #isReadingMore = false;
  #isStopped = false;
  #stopFollowing: (() => void) | undefined;
  #newestTimer: ReturnType<typeof setTimeout> | undefined;
  #newestDueMs = Infinity;
  #newestAtMs = 0;
  #isReadingNewest = false;

  constructor(filters: RunFilters) {
    this.filters = filters;
  }

  /** Reads the first page and follows the changes. */
  start(): void {
    const { jobName, labels } = this.#query();
    this.#stopFollowing?.();
    this.#stopFollowing = follow({
      open: (options) => client.peek().events({ jobName, labels, ...options }),
      // What happened before the stream was open is read.
      onOpen: () => {
        if (this.state.peek().kind === 'failed') void this.#load();
        else this.#readNewestIn(0);
      },
      onEvents: (events) => this.#apply(events),
      onEnd: (error) => {
        if (error !== undefined && this.state.peek().kind === 'loading')
          this.state.value = { kind: 'failed', error };
      },
    });
    void this.#load();
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopFollowing?.();
    clearTimeout(this.#newestTimer);
  }

  async #load(): Promise<void> {
    try {
      const { runs, nextCursor } = await this.#read({ limit: PAGE_SIZE });
      if (this.#isStopped) return;
      batch(() => {
        this.rows.value = runs;
        this.#cursor.value = nextCursor;
        this.state.value = { kind: 'ready' };
      });
      this.#readNewestIn(NEWEST_EVERY_MS);
    } catch (error) {
      if (!this.#isStopped) this.state.value = { kind: 'failed', error };
    }
  }

  /** Reads the next page, if there is one. */
  async more(): Promise<void> {
    const cursor = this.#cursor.peek();
    if (cursor === null || this.#isReadingMore) return;
    this.#isReadingMore = true;
    this.moreError.value = undefined;
    try {
      const { runs, nextCursor } = await this.#read({ cursor, limit: PAGE_SIZE });
      // The list has started again meanwhile.
      if (this.#isStopped || this.#cursor.peek() !== cursor) return;
      const known = new Set(this.rows.peek().map(({ id }) => id));
      batch(() => {
        this.rows.value = [...this.rows.peek(), ...runs.filter(({ id }) => !known.has(id))];
        this.#cursor.value = nextCursor;
      });
    } catch (error) {
      this.moreError.value = error;
    } finally {
      this.#isReadingMore = false;
    }
  }

  /** Shows the runs that were kept back. */
  release(): void {
    if (this.held.peek().length > 0) this.#show(released(this.#listed()));
  }

  /** Takes runs out that are known to be gone. */
  remove(ids: ReadonlySet<string>): void {
    this.rows.value = this.rows.peek().filter(({ id }) => !ids.has(id));
  }

  /** Reads the newest runs now, after a command of the reader's own. */
  refresh(): void {
    this.#readNewestIn(0);
  }

  #query() {
    return toQuery(this.filters, serviceNow());
  }

  #read(page: PageRequest): Promise<{ runs: RunRow[]; nextCursor: string | null }> {
    return client.peek().getRunsPage({ ...this.#query(), fields: ROW_FIELDS, ...page });
  }

  #apply(events: readonly JournalEvent[]): void {
    if (this.state.peek().kind !== 'ready') return;
    const rows = new Map([...this.held.peek(), ...this.rows.peek()].map((row) => [row.id, row]));
    const patched = new Map<string, RunRow | null>();
    let isNewWanted = false;
    for (const event of events) {
      const row = patched.get(event.runId) ?? rows.get(event.runId);
      if (row === undefined) {
        isNewWanted ||=
          event.type === 'run:trigger' || (this.filters.status.length > 0 && event.type.startsWith('run:'));
        continue;
      }
      if (row === null) continue;
      const patch = patchOf(event, row);
      if (patch === null) patched.set(event.runId, null);
      else if (patch !== undefined) patched.set(event.runId, { ...row, ...patch });
    }
    if (patched.size > 0) this.#replace(patched);
    if (isNewWanted) this.#readNewestIn(NEWEST_AFTER_MS);
  }

  /** A run that no longer matches the statuses leaves the list. */
  #replace(patched: ReadonlyMap<string, RunRow | null>): void {
    const { status } = this.filters;
    const replaced = (rows: readonly RunRow[]) =>
      rows.flatMap((row) => {
        const next = patched.get(row.id);
        if (next === undefined) return [row];
        if (next === null || (status.length > 0 && !status.includes(next.status))) return [];
        return [next];
      });
    batch(() => {
      this.rows.value = replaced(this.rows.peek());
      if (this.held.peek().length > 0) this.held.value = replaced(this.held.peek());
    });
  }

  /** A reading that is due earlier stays: under a steady stream of new runs it would be put off for ever. */
  #readNewestIn(ms: number): void {
    const earliestMs = ms === 0 ? 0 : this.#newestAtMs + NEWEST_EVERY_MS;
    const dueMs = Math.max(performance.now() + ms, earliestMs);
    if (dueMs >= this.#newestDueMs) return;
    clearTimeout(this.#newestTimer);
    this.#newestDueMs = dueMs;
    this.#newestTimer = setTimeout(() => {
      this.#newestDueMs = Infinity;
      void this.#readNewest();
    }, dueMs - performance.now());
  }

  async #readNewest(): Promise<void> {
    this.#newestAtMs = performance.now();
    if (this.#isReadingNewest) return this.#readNewestIn(NEWEST_EVERY_MS);
    this.#isReadingNewest = true;
    try {
      if (document.visibilityState === 'visible') {
        const known = new Set([...this.held.peek(), ...this.rows.peek()].map(({ id }) => id));
        this.#merge(
          await readNewest(
            (page) => this.#read(page),
            (id) => known.has(id),
          ),
        );
      }
    } catch {
      // The connection's state says it, and the next reading makes up for it.
    } finally {
      this.#isReadingNewest = false;
    }
    if (!this.#isStopped) this.#readNewestIn(RECONCILE_MS);
  }

  #merge(newest: Newest): void {
    if (this.#isStopped || this.state.peek().kind !== 'ready') return;
    this.#show(withNewest(this.#listed(), newest, this.isHolding ? 'elsewhere' : 'top'));
  }

  #listed(): Listed {
    return {
      rows: this.rows.peek(),
      cursor: this.#cursor.peek(),
      held: this.held.peek(),
      heldCursor: this.#heldCursor,
    };
  }

  #show({ rows, cursor, held, heldCursor }: Listed): void {
    batch(() => {
      this.rows.value = rows;
      this.#cursor.value = cursor;
      this.held.value = held;
    });
    this.#heldCursor = heldCursor;
  }
}
