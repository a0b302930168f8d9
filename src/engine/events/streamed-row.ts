import { type JournalEvent, type JournalRow, toEvent, toEventText } from '../../core/events.ts';
import type { StreamedEvent } from '../../core/feeds.ts';
import { decodeJson } from '../../core/json/json.ts';
import type { ListedJournalRow, Store } from '../../core/store.ts';
import type { Labels } from '../../core/triggers/labels.ts';

/**
 * A journal row for readers. Large data is read when the first reader takes the row, once for all
 * readers that share the page.
 */
export class StreamedRow implements StreamedEvent {
  #row: JournalRow;
  /** The size of its data, whether it was read or not. */
  readonly dataBytes: number;
  #isDataLeft: boolean;
  #reading: Promise<void> | undefined;
  #isGone: boolean;
  #event: JournalEvent | undefined;
  #labels: Labels | undefined;

  constructor(row: ListedJournalRow) {
    this.#row = row;
    this.dataBytes = row.dataBytes;
    this.#isDataLeft = row.isDataLeft;
    this.#isGone = row.isLeftOver;
  }

  /** Its data may not have been read yet. */
  get row(): JournalRow {
    return this.#row;
  }

  get sequence(): number {
    return this.#row.sequence;
  }

  get event(): JournalEvent {
    this.#event ??= toEvent(this.#row);
    return this.#event;
  }

  /** Computed on each call, because it may be as large as the row. */
  get json(): string {
    return toEventText(this.#row);
  }

  /** The labels of its run, if they were read. */
  get labels(): Labels {
    this.#labels ??= (decodeJson(this.#row.labels ?? null) ?? {}) as Labels;
    return this.#labels;
  }

  /** The run was deleted before the row or its data was read, so there is nothing to show. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** About how much memory it takes, once it is read. */
  get bytes(): number {
    return this.#sizeWith(this.dataBytes);
  }

  /** About how much memory it takes now. Large data may not have been read yet. */
  get bytesHere(): number {
    return this.#sizeWith(this.#isDataLeft ? 0 : this.dataBytes);
  }

  #sizeWith(dataBytes: number): number {
    const { stepName, message, labels } = this.#row;
    const chars = (stepName?.length ?? 0) + (message?.length ?? 0) + (labels?.length ?? 0);
    return 2 * (dataBytes + chars) + 300;
  }

  /** Reads the data that is missing from these rows. After a failure the next reader tries again. */
  static async complete(rows: readonly StreamedRow[], store: Pick<Store, 'readJournalData'>): Promise<void> {
    const left = rows.filter((row) => row.#isDataLeft);
    const unread = left.filter((row) => row.#reading === undefined);
    if (unread.length > 0) {
      const reading = StreamedRow.#read(unread, store);
      for (const row of unread) row.#reading = reading;
    }
    await Promise.all(left.map((row) => row.#reading));
  }

  static async #read(rows: readonly StreamedRow[], store: Pick<Store, 'readJournalData'>): Promise<void> {
    try {
      const data = await store.readJournalData(rows.map(({ sequence }) => sequence));
      for (const row of rows) {
        row.#isDataLeft = false;
        row.#isGone = !data.has(row.sequence);
        row.#row = { ...row.#row, data: data.get(row.sequence) ?? null };
      }
    } finally {
      for (const row of rows) row.#reading = undefined;
    }
  }
}
