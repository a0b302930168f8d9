import type { AppendResult, OwnerEntry } from '../../core/store.ts';
import type { LogBudget } from './log-budget.ts';

const MAX_NOTES_PER_GROUP = 200;
/** A group has at least one note, whatever its size. */
const MAX_CHARS_PER_GROUP = 256 * 1024;

/** What a log line takes besides its texts, about. */
const BYTES_PER_LINE = 256;
/** A character may take two. */
const BYTES_PER_CHAR = 2;

export interface WaitingNote extends OwnerEntry {
  /** Set on an outcome, which must be stored before the job goes on. */
  readonly settle?: { resolve(result: AppendResult): void; reject(error: unknown): void };
}

/**
 * Notes of a run's owner that are not sent yet, in order. Their size is bounded: of
 * the progress reports between two outcomes only the last is kept, and log lines beyond
 * the worker's budget are counted instead of kept.
 */
export class WaitingNotes {
  #notes: WaitingNote[] = [];
  /** Those before it are taken: a list of 100,000 is not moved up for each group. */
  #first = 0;
  readonly #budget: LogBudget;
  /** What the log lines take that wait, and those that were taken and may not be stored yet. */
  #waitingBytes = 0;
  #takenBytes = 0;
  /** The last progress since the last outcome, if it waits. */
  #progress: WaitingNote | undefined;
  /** Stands for the log lines that were left out since; while it waits, more are. */
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
    // What was reported before an outcome is stored before it.
    if (waiting.settle) this.#progress = undefined;
    this.#add(waiting);
  }

  /** Whether log lines are left out at the moment; then the one at hand is counted. */
  leavesOutLogLine(): boolean {
    if (!this.#gap) return false;
    this.#gap.lines++;
    return true;
  }

  /**
   * Takes the first notes, as many as make a group: bounded in number and characters. They count until
   * {@link release}.
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

  /** What was taken is stored, or lost. */
  release(): void {
    this.#budget.release(this.#takenBytes);
    this.#takenBytes = 0;
  }

  /** Forgets all; what it forgot. */
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
      // Not far from the end: whatever came after it is passed over once.
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

  /** A gap says how many lines it stands for when it leaves. */
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

/** What a note takes of the budget: nothing but log lines does. Results are bounded by the steps that end at once. */
function bytesOf(waiting: WaitingNote): number {
  return waiting.note.type === 'log:write' ? BYTES_PER_LINE + BYTES_PER_CHAR * charsOf(waiting) : 0;
}
