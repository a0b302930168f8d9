import type { Slot } from '../slots/slot.ts';

export interface TakeOptions {
  /** How many runs at most, however many slots are free. */
  readonly atMost: number;
  /** When the caller has waited long enough for the database, on the monotonic clock. */
  readonly deadlineMs?: number | undefined;
  /** Called when the claim leaves, and when it is answered. If false, it takes nothing, or its runs are handed back. */
  readonly isWanted: () => boolean;
  /** Called when the claim leaves. If true, the claim looks for due waiting runs, even if another one has just looked. */
  readonly looksForDue?: () => boolean;
  /** Called when the claim leaves, if it sees all that was to be stored until then. */
  readonly onLeave?: () => void;
  /** Called when the claim is answered, before its runs start. */
  readonly onAnswer?: (answer: Pick<Taken, 'hasMore'> & { readonly hasLooked: boolean }) => void;
}

export interface Taken {
  /** The runs whose execution has begun. */
  readonly slots: readonly Slot[];
  /** Whether the claim found nothing, not even runs that it had to fail. */
  readonly isEmpty: boolean;
  /** It left runs behind, because it took as many as it may. */
  readonly hasMore: boolean;
}
