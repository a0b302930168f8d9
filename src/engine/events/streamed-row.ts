import { type JournalEvent, type JournalRow, toEvent, toEventText } from '../../core/events.ts';
import type { StreamedEvent } from '../../core/feeds.ts';
import { decodeJson } from '../../core/json/json.ts';
import type { LeftData, ListedJournalRow, Store } from '../../core/store.ts';
import type { Labels } from '../../core/triggers/labels.ts';

type ReadData = Awaited<ReturnType<Store['readJournalData']>>;

/**
 * A journal row for readers. Large data is read when the first reader takes the row, once for all
 * readers that share the page.
 */
export class StreamedRow implements StreamedEvent {
  #row: JournalRow;
  /** The size of its data as the page told it, whether it was read or not. */
  readonly dataBytes: number;
  /** The size of data that turned out to be larger. It is never kept here: what is shared counts as {@link dataBytes}. */
  #knownBytes: number;
  #isDataLeft: boolean;
  #reading: Promise<ReadData> | undefined;
  #isGone: boolean;
  #event: JournalEvent | undefined;
  #labels: Labels | undefined;

  constructor(row: ListedJournalRow) {
    this.#row = row;
    this.dataBytes = row.dataBytes;
    this.#knownBytes = row.dataBytes;
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
    return this.#sizeWith(this.#knownBytes);
  }

  /** About how much memory it takes of what readers share. */
  get sharedBytes(): number {
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

  /**
   * Reads the data that is missing from these rows. Returns those that are whole then: all, or the first ones if the data of others
   * is larger than was known. After a failure the next reader tries again.
   */
  static async complete(
    rows: readonly StreamedRow[],
    store: Pick<Store, 'readJournalData'>,
  ): Promise<readonly StreamedRow[]> {
    const left = rows.filter((row) => row.#isDataLeft);
    if (left.length === 0) return rows;
    const unread = left.filter((row) => row.#reading === undefined);
    if (unread.length > 0) {
      const reading = StreamedRow.#read(unread, store);
      for (const row of unread) row.#reading = reading;
    }
    const readings = await Promise.all(rows.map((row) => row.#reading));
    const isShared = left.every((row) => !row.#isDataLeft);
    if (isShared) return rows;
    const whole: StreamedRow[] = [];
    for (const [i, row] of rows.entries()) {
      const one = row.#isDataLeft ? row.#with(readings[i]?.get(row.sequence)) : row;
      if (one === undefined) break;
      whole.push(one);
    }
    return whole;
  }

  static async #read(rows: readonly StreamedRow[], store: Pick<Store, 'readJournalData'>): Promise<ReadData> {
    try {
      const data = await store.readJournalData(rows.map(({ sequence }) => sequence));
      for (const row of rows) row.#accept(data.get(row.sequence));
      return data;
    } finally {
      for (const row of rows) row.#reading = undefined;
    }
  }

  /** Undefined for a row that is gone. */
  #accept(data: string | null | LeftData | undefined): void {
    if (typeof data === 'object' && data !== null) {
      this.#knownBytes = data.leftBytes;
      return;
    }
    const bytes = data?.length ?? 0;
    this.#knownBytes = Math.max(this.dataBytes, bytes);
    if (bytes > this.dataBytes) return;
    this.#isDataLeft = false;
    this.#isGone = data === undefined;
    this.#row = { ...this.#row, data: data ?? null };
  }

  /** A row of its reader's own, with data that is too large to be shared. */
  #with(data: string | null | LeftData | undefined): StreamedRow | undefined {
    if (typeof data !== 'string') return undefined;
    const row = { ...this.#row, data, dataBytes: data.length, isDataLeft: false, isLeftOver: false };
    return new StreamedRow(row);
  }
}
