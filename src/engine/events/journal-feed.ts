import { isListed } from '../../core/events.ts';
import type { EventCursor, RunFeed, RunListFeed } from '../../core/feeds.ts';
import { checkRunId, isTerminal } from '../../core/run.ts';
import type { Freshness, Store } from '../../core/store.ts';
import type { Clock } from '../../core/time/clock.ts';
import { type Labels, labelsSchema } from '../../core/triggers/labels.ts';
import {
  checkOptions,
  listOption,
  numberOption,
  type OptionSchemas,
} from '../../core/validation/option-types.ts';
import { WEBHOOK_JOB } from '../../core/webhooks/webhooks.ts';
import { type FeedFilter, type FeedPage, JournalCursor } from './journal-cursor.ts';
import { JournalTail } from './journal-tail.ts';
import { StreamedRow } from './streamed-row.ts';

const PAGE_ROWS = 200;

/** Where a stream begins. */
export interface RunFeedStart {
  readonly after?: number | undefined;
}

export interface RunListFeedStart extends RunFeedStart {
  readonly jobNames?: readonly string[] | undefined;
  readonly labels?: Labels | undefined;
}

const RUN_FEED_START: OptionSchemas<RunFeedStart> = {
  after: numberOption((place) => Number.isInteger(place) && place >= 0, 'a whole number, 0 or more'),
};
const RUN_LIST_FEED_START: OptionSchemas<RunListFeedStart> = {
  ...RUN_FEED_START,
  jobNames: listOption('must be a list of names'),
  labels: labelsSchema(),
};

/** Opens streams of events. All of them follow one tail of the journal. */
export class JournalFeed {
  readonly #store: Store;
  readonly #tail: JournalTail;
  readonly #mayLag: boolean;

  /** @param deps.mayLag whether a read replica may answer a read, so that the latest rows may be missing. */
  constructor(deps: {
    store: Store;
    clock: Clock;
    pollMs: number;
    mayLag?: boolean;
    onError: (error: unknown) => void;
  }) {
    this.#store = deps.store;
    this.#mayLag = deps.mayLag ?? false;
    this.#tail = new JournalTail(deps);
  }

  /** Makes the tail read at once, because this process has committed something. */
  nudge(): void {
    this.#tail.nudge();
  }

  /** How many streams are open. */
  get readers(): number {
    return this.#tail.readers;
  }

  /** Fails every stream with this error, because the database is closed. */
  close(error: unknown): void {
    this.#tail.close(error);
  }

  /** @throws {ValidationError} for what is no run id, and for a bad option. */
  async openRun(runId: string, from: RunFeedStart = {}): Promise<RunFeed> {
    checkRunId(runId);
    checkOptions('openRunFeed option', from, RUN_FEED_START);
    const { after } = from;
    const readPage = (place: number, asOf: Freshness) => this.#readRun(runId, place, asOf);
    const begin = after ?? 0;
    let firstPage = await readPage(begin, 'recently');
    const [first] = firstPage.events;
    if (!first || first.row.type === 'run:delete') {
      const run = await this.#store.getRun(runId);
      if (run && isTerminal(run.status)) {
        // The run may have ended between the two reads.
        firstPage = await readPage(begin, 'now');
        if (firstPage.events.length === 0) return { kind: 'ended' };
      } else if (!run && (!first || after === undefined)) {
        // A reader that has seen the deletion has seen the last event.
        const wasSeen = after !== undefined && (await readPage(0, 'now')).events.length > 0;
        return { kind: wasSeen ? 'ended' : 'not-found' };
      }
    }
    const filter: FeedFilter = { runId, needsLabels: false, matches: ({ row }) => row.runId === runId };
    const start = firstPage.events.length > 0 ? begin : await this.#placeAt(begin, firstPage.head);
    if (firstPage.events.length === 0 && this.#mayLag && after !== undefined) {
      // A replica may be behind the place, or the two reads saw different states. The run may have ended before the
      // place, where the cursor does not look.
      const run = await this.#store.getRun(runId, { asOf: 'now' });
      if (!run || isTerminal(run.status)) {
        firstPage = await readPage(start, 'now');
        if (firstPage.events.length === 0) return { kind: 'ended' };
      }
    }
    return { kind: 'open', cursor: await this.#open({ filter, after: start, readPage }, firstPage) };
  }

  /** @throws {ValidationError} for a bad option. */
  async openList(from: RunListFeedStart = {}): Promise<RunListFeed> {
    checkOptions('openRunListFeed option', from, RUN_LIST_FEED_START);
    const { after, jobNames, labels = {} } = from;
    const names = jobNames && new Set(jobNames);
    const asked = Object.entries(labels);
    const needsLabels = asked.length > 0;
    const filter: FeedFilter = {
      runId: null,
      needsLabels,
      matches: (event) =>
        isListed(event.row.type) &&
        (names === undefined ? event.row.jobName !== WEBHOOK_JOB : names.has(event.row.jobName)) &&
        asked.every(([key, value]) => event.labels[key] === value),
    };
    const start = await this.#placeAt(after);
    const readPage = (place: number, asOf: Freshness) => this.#readAll(place, { needsLabels, asOf });
    return {
      after: start,
      cursor: await this.#open({ filter, after: start, readPage }),
    };
  }

  /** The journal's head, if a place lies beyond it, after a restore for example. Such a place would skip future events. */
  async #placeAt(after = Number.POSITIVE_INFINITY, knownHead?: number): Promise<number> {
    const head = knownHead ?? (await this.#store.journalHead());
    if (after <= head || after === Number.POSITIVE_INFINITY || !this.#mayLag) return Math.min(after, head);
    // A replica's head may be older than what the reader has seen, so the primary is asked.
    return Math.min(after, await this.#store.journalHead({ asOf: 'now' }));
  }

  async #open(
    options: {
      readonly filter: FeedFilter;
      readonly after: number;
      readonly readPage: (after: number, asOf: Freshness) => Promise<FeedPage>;
    },
    firstPage?: FeedPage,
  ): Promise<EventCursor> {
    const complete = (events: readonly StreamedRow[]) => StreamedRow.complete(events, this.#store);
    const cursor = new JournalCursor(
      { ...options, complete, tail: this.#tail, pageRows: PAGE_ROWS },
      firstPage,
    );
    await this.#tail.join(cursor);
    return cursor;
  }

  async #readRun(
    runId: string,
    after: number,
    asOf: Freshness,
  ): Promise<FeedPage & { readonly head: number }> {
    const { rows, head } = await this.#store.readRunJournal({ runId, after, limit: PAGE_ROWS, asOf });
    return { events: rows.map((row) => new StreamedRow(row)), head, isCurrent: this.#isCurrent(asOf) };
  }

  async #readAll(
    after: number,
    { needsLabels, asOf }: { readonly needsLabels: boolean; readonly asOf: Freshness },
  ): Promise<FeedPage> {
    const rows = await this.#store.readJournal({ after, limit: PAGE_ROWS, withLabels: needsLabels, asOf });
    const head = rows.at(-1)?.sequence ?? after;
    return { events: rows.map((row) => new StreamedRow(row)), head, isCurrent: this.#isCurrent(asOf) };
  }

  #isCurrent(asOf: Freshness): boolean {
    return asOf === 'now' || !this.#mayLag;
  }
}
