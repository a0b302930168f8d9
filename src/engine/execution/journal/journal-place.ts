import type { OwnerEntry } from '../../../core/ownership/append.ts';
import type { WaitingNote, WaitingNotes } from './waiting-notes.ts';

/** A note on its way, and what is stored of it. */
export interface Leaving {
  readonly waiting: WaitingNote;
  readonly entry: OwnerEntry;
}

/** The notes as they are, without a plugin that encodes them. */
export const plain = (group: readonly WaitingNote[]) =>
  group.map((waiting): Leaving => ({ waiting, entry: waiting }));

/** The place of the append that is under way, while something else stores notes in a way of its own. */
export interface JournalPlace {
  readonly waiting: Pick<WaitingNotes, 'length' | 'take' | 'putBack' | 'release'>;
  /** What can be encoded of a group. The rest is refused, each note by itself. */
  encode(group: readonly WaitingNote[]): Promise<readonly Leaving[]>;
  /** The number of the next append. */
  nextNumber(): number;
  /** These notes are stored. */
  stored(group: readonly WaitingNote[]): void;
  /** What waits is sent. */
  release(): void;
}
