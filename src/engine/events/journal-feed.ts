import type { Clock } from '../../core/clock.ts';
import type { EventCursor, RunFeed, RunListFeed } from '../../core/durably.ts';
import { isListed } from '../../core/events.ts';
import type { Labels } from '../../core/labels.ts';
import { isTerminal } from '../../core/run.ts';
import type { Store } from '../../core/store.ts';
import { type FeedFilter, JournalCursor } from './journal-cursor.ts';
import { JournalTail } from './journal-tail.ts';
import { StreamedRow } from './streamed-row.ts';

const PAGE_ROWS = 200;

/** Opens streams of events. All of them follow one tail of the journal. */
export class JournalFeed {
  readonly #store: Store;
  readonly #tail: JournalTail;

  constructor(deps: { store: Store; clock: Clock; pollMs: number; onError: (error: unknown) => void }) {
    this.#store = deps.store;
    this.#tail = new JournalTail(deps);
  }

  /** Makes the tail read at once, because this process has committed something. */
  nudge(): void {
    this.#tail.nudge();
  }

  /** Fails every stream with this error, because the database is closed. */
  close(error: unknown): void {
    this.#tail.close(error);
  }

  async openRun(runId: string, { after }: { after?: number | undefined } = {}): Promise<RunFeed> {
    const readPage = (place: number) => this.#readRun(runId, place);
    let firstPage = await readPage(after ?? 0);
    const [first] = firstPage;
    if (!first || first.row.type === 'run:delete') {
      const run = await this.#store.getRun(runId);
      if (run && isTerminal(run.status)) {
        // The run may have ended between the two reads.
        firstPage = await readPage(after ?? 0);
        if (firstPage.length === 0) return { kind: 'ended' };
      } else if (!run && (!first || after === undefined)) {
        // The deletion is the last event of a run. A reader that has seen it has seen everything.
        const wasSeen = after !== undefined && (await readPage(0)).length > 0;
        return { kind: wasSeen ? 'ended' : 'not-found' };
      }
    }
    const filter: FeedFilter = { runId, needsLabels: false, matches: ({ row }) => row.runId === runId };
    const start = firstPage.length > 0 ? (after ?? 0) : await this.#placeAt(after ?? 0);
    return { kind: 'open', cursor: await this.#open({ filter, after: start, readPage }, firstPage) };
  }

  async openList({
    after,
    jobNames,
    labels = {},
  }: {
    after?: number | undefined;
    jobNames?: readonly string[] | undefined;
    labels?: Labels | undefined;
  } = {}): Promise<RunListFeed> {
    const names = jobNames && new Set(jobNames);
    const asked = Object.entries(labels);
    const needsLabels = asked.length > 0;
    const filter: FeedFilter = {
      runId: null,
      needsLabels,
      matches: (event) =>
        isListed(event.row.type) &&
        (names === undefined || names.has(event.row.jobName)) &&
        asked.every(([key, value]) => event.labels[key] === value),
    };
    const start = await this.#placeAt(after);
    const readPage = (place: number) => this.#readAll(place, needsLabels);
    return {
      after: start,
      cursor: await this.#open({ filter, after: start, readPage }),
    };
  }

  /** A place beyond the journal's head would skip future events. It may come from before a restore. */
  async #placeAt(after = Number.POSITIVE_INFINITY): Promise<number> {
    return Math.min(after, await this.#store.journalHead());
  }

  async #open(
    options: {
      readonly filter: FeedFilter;
      readonly after: number;
      readonly readPage: (after: number) => Promise<readonly StreamedRow[]>;
    },
    firstPage?: readonly StreamedRow[],
  ): Promise<EventCursor> {
    const complete = (events: readonly StreamedRow[]) => StreamedRow.complete(events, this.#store);
    const cursor = new JournalCursor(
      { ...options, complete, tail: this.#tail, pageRows: PAGE_ROWS },
      firstPage,
    );
    await this.#tail.join(cursor);
    return cursor;
  }

  async #readRun(runId: string, after: number): Promise<StreamedRow[]> {
    const rows = await this.#store.readRunJournal({ runId, after, limit: PAGE_ROWS });
    return rows.map((row) => new StreamedRow(row));
  }

  async #readAll(after: number, withLabels: boolean): Promise<StreamedRow[]> {
    const rows = await this.#store.readJournal({ after, limit: PAGE_ROWS, withLabels });
    return rows.map((row) => new StreamedRow(row));
  }
}
