import { batch, computed, signal } from '@preact/signals';
import type { JournalEvent } from '../../client.ts';
import { serviceNow } from '../parts/clock.ts';
import { client } from '../service/connection.ts';
import { follow } from '../service/follow.ts';
import {
  EMPTY_LIST,
  heldOf,
  type Listed,
  type Newest,
  PAGE_SIZE,
  type PageRequest,
  readNewest,
  released,
  shownOf,
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
  readonly #list = signal<Listed>(EMPTY_LIST);
  readonly rows = computed(() => shownOf(this.#list.value));
  /** New runs that are kept back while the reader is elsewhere in the list. */
  readonly held = computed(() => heldOf(this.#list.value));
  readonly hasMore = computed(() => this.#list.value.cursor !== null);
  readonly moreError = signal<unknown>(undefined);
  /** Whether new runs are kept back. */
  isHolding = false;

  readonly filters: RunFilters;
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
        const { kind } = this.state.peek();
        if (kind === 'failed') void this.#load();
        // After the first page, the newest runs are read in any case.
        else if (kind === 'ready') this.#readNewestIn(0);
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
        this.#list.value = { ...EMPTY_LIST, runs, cursor: nextCursor };
        this.state.value = { kind: 'ready' };
      });
      this.#readNewestIn(NEWEST_EVERY_MS);
    } catch (error) {
      if (!this.#isStopped) this.state.value = { kind: 'failed', error };
    }
  }

  /** Reads the next page, if there is one. */
  async more(): Promise<void> {
    if (this.#isReadingMore) return;
    this.#isReadingMore = true;
    this.moreError.value = undefined;
    try {
      // A page that brings nothing new does not make the list longer, so nobody would ask for the next one.
      while (!this.#isStopped && this.hasMore.peek() && !(await this.#readMore()));
    } catch (error) {
      this.moreError.value = error;
    } finally {
      this.#isReadingMore = false;
    }
  }

  /** Whether the next page made the list longer. */
  async #readMore(): Promise<boolean> {
    const { cursor } = this.#list.peek();
    if (cursor === null) return false;
    const { runs, nextCursor } = await this.#read({ cursor, limit: PAGE_SIZE });
    const list = this.#list.peek();
    // The list has got another end meanwhile.
    if (this.#isStopped || list.cursor !== cursor) return false;
    const known = new Set(list.runs.map(({ id }) => id));
    const added = runs.filter(({ id }) => !known.has(id));
    this.#list.value = { ...list, runs: [...list.runs, ...added], cursor: nextCursor };
    return added.length > 0;
  }

  /** Shows the runs that were kept back. */
  release(): void {
    if (this.held.peek().length > 0) this.#list.value = released(this.#list.peek());
  }

  /** Takes runs out that are known to be gone. */
  remove(ids: ReadonlySet<string>): void {
    const list = this.#list.peek();
    this.#list.value = { ...list, runs: list.runs.filter(({ id }) => !ids.has(id)) };
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
    const rows = new Map(this.#list.peek().runs.map((row) => [row.id, row]));
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
    const list = this.#list.peek();
    const runs = list.runs.flatMap((row) => {
      const next = patched.get(row.id);
      if (next === undefined) return [row];
      if (next === null || (status.length > 0 && !status.includes(next.status))) return [];
      return [next];
    });
    this.#list.value = { ...list, runs };
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
        this.#merge(
          await readNewest(
            (page) => this.#read(page),
            (id) => this.#list.peek().runs.some((row) => row.id === id),
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
    this.#list.value = withNewest(this.#list.peek(), newest, this.isHolding ? 'elsewhere' : 'top');
  }
}
