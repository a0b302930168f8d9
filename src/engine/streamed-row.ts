import type { StreamedEvent } from '../core/durably.ts';
import { type JournalEvent, type JournalRow, toEvent } from '../core/events.ts';
import { decodeJson } from '../core/json.ts';
import type { Labels } from '../core/labels.ts';

/** A journal row on its way to readers: its event and JSON text are made once, for the first that asks. */
export class StreamedRow implements StreamedEvent {
  readonly row: JournalRow;
  #event: JournalEvent | undefined;
  #json: string | undefined;
  #labels: Labels | undefined;

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

  /** Its run's, if they were read. */
  get labels(): Labels {
    this.#labels ??= (decodeJson(this.row.labels ?? null) ?? {}) as Labels;
    return this.#labels;
  }

  /** Roughly what it takes in memory. */
  get chars(): number {
    const { data, message, labels } = this.row;
    return 2 * (data?.length ?? 0) + (message?.length ?? 0) + 2 * (labels?.length ?? 0) + 300;
  }
}
