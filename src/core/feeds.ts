import type { JournalEvent } from './events.ts';

/** A journal event in a stream. Its JSON text is made once for all readers. */
export interface StreamedEvent {
  readonly sequence: number;
  readonly event: JournalEvent;
  readonly json: string;
}

/**
 * A reader's place in the journal. It holds no events, so a slow reader costs nothing.
 * Call `next` again only when the last call has settled.
 */
export interface EventCursor {
  /** Waits for the next events, at least one; null after the last. Rejects if the database fails. */
  next(): Promise<readonly StreamedEvent[] | null>;
  /** Ends a waiting `next` with null and frees everything. */
  close(): void;
}

/** The stream of one run's events, or why there is none. */
export type RunFeed =
  | { readonly kind: 'not-found' }
  /** The run is over and nothing came after the given sequence. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'open'; readonly cursor: EventCursor };

/** The stream of the events of all runs. */
export interface RunListFeed {
  /** The sequence from which the stream starts. */
  readonly after: number;
  readonly cursor: EventCursor;
}
