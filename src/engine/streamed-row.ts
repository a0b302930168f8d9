import type { StreamedEvent } from '../core/durably.ts';
import { type JournalEvent, type JournalRow, toEvent } from '../core/events.ts';

/** A journal row on its way to readers: its event and JSON text are made once, for the first that asks. */
export class StreamedRow implements StreamedEvent {
  readonly row: JournalRow;
  #event: JournalEvent | undefined;
  #json: string | undefined;

  constructor(row: JournalRow) {
    this.row = row;
  }

  get sequence(): number {
    return this.row.sequence;
  }

  get event(): JournalEvent {
    this.#event ??= toEvent(this.row);
    return this.#event;
  }

  get json(): string {
    this.#json ??= JSON.stringify(this.event);
    return this.#json;
  }

  /** Roughly what it takes in memory. */
  get chars(): number {
    return 2 * (this.row.data?.length ?? 0) + (this.row.message?.length ?? 0) + 300;
  }
}
