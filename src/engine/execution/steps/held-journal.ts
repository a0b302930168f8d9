import type { Append, AppendResult, OwnerNote } from '../../../core/ownership/append.ts';
import type { Lease } from '../../../core/ownership/lease.ts';
import type { Clock } from '../../../core/time/clock.ts';
import type { JournalPlace, Leaving } from '../journal/journal-place.ts';
import type { WaitingNote } from '../journal/waiting-notes.ts';

type AppendWithin = (append: Append) => Promise<AppendResult>;

/**
 * The journal of a run while one of its transactions is open: nothing else of the run is sent. What waits is appended in the
 * transaction, before the outcome, and counts as stored once that is committed.
 */
export class HeldJournal {
  readonly #place: JournalPlace;
  readonly #lease: Lease;
  readonly #clock: Clock;
  /** What was appended in the transaction before its outcome. */
  #before: WaitingNote[] = [];
  #outcome: WaitingNote | undefined;
  /** The number of an append that was refused. */
  #unused: number | undefined;
  /** Which transaction it is. */
  #turn = 0;

  constructor(place: JournalPlace, { lease, clock }: { readonly lease: Lease; readonly clock: Clock }) {
    this.#place = place;
    this.#lease = lease;
    this.#clock = clock;
  }

  /** The number of a transaction that begins. */
  begin(): number {
    this.#unused = undefined;
    this.#turn++;
    return this.#place.nextNumber();
  }

  /** Within a transaction no number is left out. */
  #nextNumber(): number {
    const number = this.#unused ?? this.#place.nextNumber();
    this.#unused = undefined;
    return number;
  }

  /**
   * Appends an outcome after all that waits, and returns the number that it has. If the database refuses what waits, that is
   * left for later.
   *
   * @throws what the database, or a plugin, says of the outcome itself.
   */
  async record(
    note: OwnerNote,
    append: AppendWithin,
  ): Promise<{ readonly result: AppendResult; readonly number: number }> {
    const turn = this.#turn;
    const outcome = await this.#encodeOutcome(note);
    const { waiting } = this.#place;
    while (waiting.length > 0) {
      if (this.#turn !== turn) throw new Error('its transaction is over');
      const left = await this.#appendGroup(waiting.take(), append);
      if (left === undefined) continue;
      waiting.putBack(left);
      break;
    }
    const number = this.#nextNumber();
    const result = await append(this.#toAppend([outcome], number));
    this.#outcome = outcome.waiting;
    return { result, number };
  }

  /** The transaction was committed. */
  commit(): void {
    const outcome = this.#outcome;
    this.#place.stored(outcome === undefined ? this.#before : [...this.#before, outcome]);
    this.#place.waiting.release();
    this.#before = [];
  }

  /** The transaction was rolled back: what it had appended before its outcome waits again. */
  rollBack(): void {
    this.#turn++;
    this.#place.waiting.putBack(this.#before);
    this.#before = [];
    this.#outcome = undefined;
  }

  /** What waits is sent. */
  release(): void {
    this.#place.release();
  }

  async #encodeOutcome(note: OwnerNote): Promise<Leaving> {
    let refusal: unknown = new Error('the result was not encoded in time');
    const reject = (error: unknown) => {
      refusal = error;
    };
    const settle = { resolve: () => undefined, reject };
    const [outcome] = await this.#place.encode([{ note, atMs: this.#clock.monotonicMs(), settle }]);
    if (outcome === undefined) throw refusal;
    return outcome;
  }

  /** Undefined if the group was appended. Otherwise what is left of it. */
  async #appendGroup(
    group: readonly WaitingNote[],
    append: AppendWithin,
  ): Promise<readonly WaitingNote[] | undefined> {
    // What starts a run may need more than a statement.
    if (group.some(({ note: { child } }) => child !== undefined)) return group;
    const leaving = await this.#place.encode(group);
    const notes = leaving.map(({ waiting }) => waiting);
    if (leaving.length === 0) return undefined;
    const number = this.#nextNumber();
    const result = await append(this.#toAppend(leaving, number)).catch((): AppendResult => 'refused');
    if (result === 'refused') {
      this.#unused = number;
      return notes;
    }
    this.#before.push(...notes);
    return undefined;
  }

  #toAppend(leaving: readonly Leaving[], number: number): Append {
    const entries = leaving.map(({ entry }) => entry);
    return {
      lease: this.#lease,
      number,
      sentAtMs: this.#clock.monotonicMs(),
      entries,
      isRepeated: false,
    };
  }
}
