import type { OwnerNote } from '../core/store.ts';

const MAX_NOTES_PER_GROUP = 200;
/** A group has at least one note, whatever its size. */
const MAX_CHARS_PER_GROUP = 256 * 1024;

/** Once the notes that wait take so much memory, log lines are left out. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** What a note takes besides its texts, about. */
const BYTES_PER_NOTE = 256;
/** A character may take two. */
const BYTES_PER_CHAR = 2;

export interface WaitingNote {
  readonly note: OwnerNote;
  /** When it was taken down, on the monotonic clock. */
  readonly atMs: number;
  /** Set on an outcome, which must be stored before the job goes on. */
  readonly settle?: { resolve(result: 'stored' | 'refused'): void; reject(error: unknown): void };
}

/**
 * What a run's owner has taken down and not yet sent, in order. Its size is
 * bounded however fast a job tells: of progress reports between two outcomes the
 * last one waits, and log lines beyond the bound are counted instead of kept.
 */
export class WaitingNotes {
  #notes: WaitingNote[] = [];
  /** Those before it are taken: a list of 100,000 is not moved up for each group. */
  #first = 0;
  #bytes = 0;
  /** The last progress since the last outcome, if it waits. */
  #progress: WaitingNote | undefined;
  /** Stands for the log lines that were left out since; while it waits, more are. */
  #gap: { readonly waiting: WaitingNote; lines: number } | undefined;

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

  /** Takes the first notes, as many as make a group: bounded in number and characters. */
  take(): readonly WaitingNote[] {
    let chars = 0;
    let end = this.#first;
    for (; end < this.#notes.length; end++) {
      chars += charsOf(this.#notes[end]);
      const size = end - this.#first;
      if (size > 0 && (size === MAX_NOTES_PER_GROUP || chars > MAX_CHARS_PER_GROUP)) break;
    }
    return this.#remove(end).map((waiting) => this.#finish(waiting));
  }

  /** Forgets all; what it forgot. */
  clear(): readonly WaitingNote[] {
    this.#progress = undefined;
    this.#gap = undefined;
    return this.#remove(this.#notes.length);
  }

  #leavesOut(waiting: WaitingNote): boolean {
    if (this.leavesOutLogLine()) return true;
    if (this.length === 0 || this.#bytes + bytesOf(waiting) <= MAX_WAITING_BYTES) return false;
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
      this.#bytes -= bytesOf(this.#progress);
    }
    this.#progress = waiting;
  }

  #add(waiting: WaitingNote): void {
    this.#notes.push(waiting);
    this.#bytes += bytesOf(waiting);
  }

  #remove(end: number): WaitingNote[] {
    const removed = this.#notes.slice(this.#first, end);
    this.#first = end;
    for (const waiting of removed) {
      this.#bytes -= bytesOf(waiting);
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

function bytesOf(waiting: WaitingNote): number {
  return BYTES_PER_NOTE + BYTES_PER_CHAR * charsOf(waiting);
}
