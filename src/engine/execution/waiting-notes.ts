import type { AppendResult, OwnerEntry } from '../../core/store.ts';
import type { LogBudget } from './log-budget.ts';

const MAX_NOTES_PER_GROUP = 200;
/** A group has at least one note, whatever its size. */
const MAX_CHARS_PER_GROUP = 256 * 1024;

/** About how many bytes a log line takes besides its texts. */
const BYTES_PER_LINE = 256;
/** A character may take two bytes. */
const BYTES_PER_CHAR = 2;

export interface WaitingNote extends OwnerEntry {
  /** Set on an outcome, which must be stored before the job continues. */
  readonly settle?: { resolve(result: AppendResult): void; reject(error: unknown): void };
}

/**
 * The notes of a run's owner that were not sent yet, in order. Their size is bounded: only the last
 * progress report between two outcomes is kept, and log lines beyond the worker's budget are only
 * counted.
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
   * Stands for the log lines that are being left out. While it waits, all further lines are left
   * out, too.
   */
  #gap: { readonly waiting: WaitingNote; lines: number } | undefined;

  constructor(budget: LogBudget) {
    this.#budget = budget;
  }

  get length(): number {
    return this.#notes.length - this.#first;
  }

  push(waiting: WaitingNote): void {
    const { type } = waiting.note;
    if (type === 'log:write' && this.#leavesOut(waiting)) return;
    if (type === 'run:progress') this.#takeProgressPlace(waiting);
    // Progress that was reported before an outcome must be stored before it.
    if (waiting.settle) this.#progress = undefined;
    this.#add(waiting);
  }

  /** Whether log lines are being left out. If so, the caller's line is counted. */
  leavesOutLogLine(): boolean {
    if (!this.#gap) return false;
    this.#gap.lines++;
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

  #leavesOut(waiting: WaitingNote): boolean {
    if (this.leavesOutLogLine()) return true;
    const held = this.#waitingBytes + this.#takenBytes;
    if (this.#budget.allows({ held, bytes: bytesOf(waiting) })) return false;
    const place: WaitingNote = { note: { type: 'log:write', level: 'warn' }, atMs: waiting.atMs };
    this.#gap = { waiting: place, lines: 1 };
    this.#add(place);
    return true;
  }

  #takeProgressPlace(waiting: WaitingNote): void {
    if (this.#progress) {
      // It is near the end: each later note is searched only once.
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

  /** When a gap leaves, it says how many lines it stands for. */
  #finish(waiting: WaitingNote): WaitingNote {
    if (waiting !== this.#gap?.waiting) return waiting;
    const { lines } = this.#gap;
    this.#gap = undefined;
    const message = `${lines} log ${lines === 1 ? 'line was' : 'lines were'} left out here: they came faster than they could be stored`;
    return { ...waiting, note: { ...waiting.note, message } };
  }
}

function charsOf(waiting: WaitingNote | undefined): number {
  const { data, message, stepName } = waiting?.note ?? {};
  return (data?.length ?? 0) + (message?.length ?? 0) + (stepName?.length ?? 0);
}

/**
 * The bytes that a note takes of the budget. Only log lines count. Results are bounded by the number
 * of steps that end at once.
 */
function bytesOf(waiting: WaitingNote): number {
  return waiting.note.type === 'log:write' ? BYTES_PER_LINE + BYTES_PER_CHAR * charsOf(waiting) : 0;
}
