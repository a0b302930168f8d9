import type { AppendResult, OwnerEntry, OwnerNote } from '../../../core/store.ts';
import type { LogBudget } from './log-budget.ts';

const MAX_NOTES_PER_GROUP = 200;
/** A group has at least one note, whatever its size. */
const MAX_CHARS_PER_GROUP = 256 * 1024;

/** Telemetry of which a run may have any amount. What is too much is left out. */
export type LooseType = 'log:write' | 'run:emit';

/** About how many bytes a log line takes besides its texts. */
const BYTES_PER_LINE = 256;
/** A character may take two bytes. */
const BYTES_PER_CHAR = 2;

export interface WaitingNote extends OwnerEntry {
  /** Set on an outcome, which must be stored before the job continues. */
  readonly settle?: { resolve(result: AppendResult): void; reject(error: unknown): void };
  /** Called when the note is about to be sent. What asks the database from then on finds it stored. */
  readonly onLeave?: (() => void) | undefined;
}

/**
 * The notes of a run's owner that were not sent yet, in order. Their size is bounded: only the last
 * progress report between two outcomes is kept, and log lines and events of the job's own beyond the
 * worker's budget are only counted.
 */
export class WaitingNotes {
  #notes: WaitingNote[] = [];
  /**
   * Notes before this index were taken. The list is not shifted for each group, because it may have
   * 100,000 notes.
   */
  #first = 0;
  readonly #budget: LogBudget;
  /** The bytes of the log lines that wait, and of those that were taken but may not be stored yet. */
  #waitingBytes = 0;
  #takenBytes = 0;
  /** The last progress report since the last outcome, if it waits. */
  #progress: WaitingNote | undefined;
  /**
   * Stands for the log lines and events that are being left out. While it waits, all further ones are
   * left out, too.
   */
  #gap: Gap | undefined;

  constructor(budget: LogBudget) {
    this.#budget = budget;
  }

  get length(): number {
    return this.#notes.length - this.#first;
  }

  push(waiting: WaitingNote): void {
    const { type } = waiting.note;
    if (isLoose(type) && this.#leavesOutBeyondBudget(type, waiting)) return;
    if (type === 'run:progress') this.#takeProgressPlace(waiting);
    // Progress that was reported before an outcome must be stored before it.
    if (waiting.settle) this.#progress = undefined;
    this.#add(waiting);
  }

  /** Whether log lines and events are being left out. If so, the caller's is counted. */
  leavesOut(type: LooseType): boolean {
    if (!this.#gap) return false;
    this.#gap.count[type]++;
    return true;
  }

  /**
   * Takes the first notes, up to the limits of a group. They count towards the budget until {@link
   * release}.
   */
  take(): readonly WaitingNote[] {
    let chars = 0;
    let end = this.#first;
    for (; end < this.#notes.length; end++) {
      chars += charsOf(this.#notes[end]);
      const size = end - this.#first;
      if (size > 0 && (size === MAX_NOTES_PER_GROUP || chars > MAX_CHARS_PER_GROUP)) break;
    }
    const before = this.#waitingBytes;
    const group = this.#remove(end);
    this.#takenBytes += before - this.#waitingBytes;
    return group.map((waiting) => this.#finish(waiting));
  }

  /** Puts notes back that were taken, and not released yet, before those that came later. */
  putBack(taken: readonly WaitingNote[]): void {
    this.#notes = [...taken, ...this.#notes.slice(this.#first)];
    this.#first = 0;
    const bytes = taken.reduce((sum, waiting) => sum + bytesOf(waiting), 0);
    this.#waitingBytes += bytes;
    this.#takenBytes -= bytes;
  }

  /** The notes that were taken are stored, or lost. */
  release(): void {
    this.#budget.release(this.#takenBytes);
    this.#takenBytes = 0;
  }

  /** Removes all notes and returns them. */
  clear(): readonly WaitingNote[] {
    this.#progress = undefined;
    this.#gap = undefined;
    this.#budget.release(this.#waitingBytes);
    return this.#remove(this.#notes.length);
  }

  #leavesOutBeyondBudget(type: LooseType, waiting: WaitingNote): boolean {
    if (this.leavesOut(type)) return true;
    const held = this.#waitingBytes + this.#takenBytes;
    if (this.#budget.allows({ held, bytes: bytesOf(waiting) })) return false;
    const place: WaitingNote = { note: { type: 'log:write', level: 'warn' }, atMs: waiting.atMs };
    this.#gap = { waiting: place, count: { 'log:write': 0, 'run:emit': 0, [type]: 1 } };
    this.#add(place);
    return true;
  }

  #takeProgressPlace(waiting: WaitingNote): void {
    if (this.#progress) {
      // The search is short: it starts at the end, and each note is passed only once.
      const index = this.#notes.lastIndexOf(this.#progress);
      this.#notes.splice(index, 1);
    }
    this.#progress = waiting;
  }

  #add(waiting: WaitingNote): void {
    this.#notes.push(waiting);
    const bytes = bytesOf(waiting);
    this.#waitingBytes += bytes;
    this.#budget.take(bytes);
  }

  #remove(end: number): WaitingNote[] {
    const removed = this.#notes.slice(this.#first, end);
    this.#first = end;
    for (const waiting of removed) {
      this.#waitingBytes -= bytesOf(waiting);
      if (waiting === this.#progress) this.#progress = undefined;
    }
    if (this.#first * 2 >= this.#notes.length) {
      this.#notes = this.#notes.slice(this.#first);
      this.#first = 0;
    }
    return removed;
  }

  /** A gap gets its text when it leaves: what it stands for. */
  #finish(waiting: WaitingNote): WaitingNote {
    if (waiting !== this.#gap?.waiting) return waiting;
    const { count } = this.#gap;
    this.#gap = undefined;
    const what = [
      counted(count['log:write'], 'log line', 'log lines'),
      counted(count['run:emit'], 'event', 'events'),
    ].filter((text) => text !== '');
    const are = count['log:write'] + count['run:emit'] === 1 ? 'was' : 'were';
    const message = `${what.join(' and ')} ${are} left out here: they came faster than they could be stored`;
    return { ...waiting, note: { ...waiting.note, message } };
  }
}

interface Gap {
  readonly waiting: WaitingNote;
  readonly count: Record<LooseType, number>;
}

function isLoose(type: OwnerNote['type']): type is LooseType {
  return type === 'log:write' || type === 'run:emit';
}

function counted(count: number, one: string, many: string): string {
  return count === 0 ? '' : `${count} ${count === 1 ? one : many}`;
}

function charsOf(waiting: WaitingNote | undefined): number {
  const { data, message, stepName } = waiting?.note ?? {};
  return (data?.length ?? 0) + (message?.length ?? 0) + (stepName?.length ?? 0);
}

/**
 * The bytes that a note takes of the budget. Only log lines and events of the job's own count. Results
 * are bounded by the number of steps that end at once.
 */
function bytesOf(waiting: WaitingNote): number {
  return isLoose(waiting.note.type) ? BYTES_PER_LINE + BYTES_PER_CHAR * charsOf(waiting) : 0;
}
