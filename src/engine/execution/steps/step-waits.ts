import { type Clock, defer, toIsoTime } from '../../../core/time/clock.ts';
import type { RunWait, WaitData } from '../../../core/wait.ts';
import type { RunControl } from '../run-control.ts';
import type { StepCalls } from './step-calls.ts';

/** A run that waits for less than this keeps its slot. */
const KEEPS_SLOT_MS = 1_000;

/** What a step waits for. */
export type WaitOf =
  | { readonly kind: 'sleep' | 'retry'; readonly dueAtMs: number }
  | { readonly kind: 'signal'; readonly signal: string; readonly dueAtMs: number }
  | { readonly kind: 'run'; readonly runId: string; readonly dueAtMs: number };

/** `dueAtMs`: when it is over at the latest, ms since the epoch, by the database's clock; Infinity if it waits for no time. */
export type StepWait = WaitOf & { readonly stepName: string };

/** Whether the wait can end in this execution. Signals and ends of other runs are found only by a later claim. */
function endsHere({ kind }: StepWait): boolean {
  return kind === 'sleep' || kind === 'retry';
}

interface Settle {
  resolve(): void;
  reject(error: unknown): void;
}

interface StepWaitsDeps {
  readonly clock: Clock;
  readonly control: RunControl;
  readonly calls: StepCalls;
  /** Whether the job waits for another run (`triggerAndWait`): it then keeps its slot. */
  readonly isAwaitingRun: () => boolean;
  /** The database's clock, ms since the epoch. */
  readonly databaseNowMs: () => number;
}

/**
 * The waits of one execution that are not over. When no step's function runs, no run is awaited and a wait
 * is left, the run is put to wait: the execution is stopped, and what the job does outside
 * of its steps is abandoned. A wait beside a running step, and a short one, ends here.
 */
export class StepWaits {
  readonly #deps: StepWaitsDeps;
  readonly #open = new Map<StepWait, Settle>();
  #isPutToWait = false;
  #isWatching = false;
  #isLookDue = false;
  #cancelTimer: () => void = () => undefined;

  constructor(deps: StepWaitsDeps) {
    this.#deps = deps;
  }

  /**
   * Resolves when the wait is over; never if the run is put to wait before that.
   *
   * @throws {RunCancelledError | LeaseLostError} if the execution is over for another reason.
   */
  async untilDue(wait: StepWait): Promise<void> {
    const { control, databaseNowMs } = this.#deps;
    if (endsHere(wait) && wait.dueAtMs <= databaseNowMs()) return;
    // What the job does after its run was put to wait is abandoned.
    if (!this.#isPutToWait) control.throwIfOver();
    if (!this.#isWatching) void control.whenOver().then(() => this.#rejectAll());
    this.#isWatching = true;
    await new Promise<void>((resolve, reject) => {
      this.#open.set(wait, { resolve, reject });
      this.#lookSoon();
    });
  }

  /** The waits that are open, as they are stored when the run is put to wait. */
  toData(): WaitData {
    const open = [...this.#open.keys()];
    const dueAt = Math.min(...open.map(({ dueAtMs }) => dueAtMs));
    return { dueAt: Number.isFinite(dueAt) ? dueAt : null, waits: open.map(toRunWait) };
  }

  /** The execution is over. */
  close(): void {
    this.#cancelTimer();
  }

  #rejectAll(): void {
    // The wait goes on in a later execution, so what the job does now is abandoned.
    if (this.#isPutToWait) return;
    const { error } = this.#deps.control;
    for (const { reject } of this.#open.values()) reject(error);
    this.#open.clear();
  }

  /** Looks after this turn of the event loop, because the job may call its next step in it. */
  #lookSoon(): void {
    if (this.#isLookDue) return;
    this.#isLookDue = true;
    defer(() => {
      this.#isLookDue = false;
      this.#look();
    });
  }

  #look(): void {
    const { control, calls, databaseNowMs } = this.#deps;
    this.#cancelTimer();
    if (control.isOver) return;
    const nowMs = databaseNowMs();
    if (this.#endDue(nowMs)) return this.#lookSoon();
    if (this.#open.size === 0) return;
    const ending = [...this.#open.keys()].filter(endsHere);
    const inMs = Math.min(...ending.map(({ dueAtMs }) => dueAtMs)) - nowMs;
    const isAwaitingRun = this.#deps.isAwaitingRun();
    // Only a later claim finds what the others wait for.
    const mustGo = inMs >= KEEPS_SLOT_MS || ending.length < this.#open.size || control.isDraining;
    if (!calls.areBusy && !isAwaitingRun && mustGo) {
      this.#isPutToWait = true;
      control.stop('waiting');
      return;
    }
    // Nothing reports the end of the other run, so it is looked for now and then.
    const lookInMs = isAwaitingRun ? Math.min(inMs, KEEPS_SLOT_MS) : inMs;
    if (Number.isFinite(lookInMs))
      this.#cancelTimer = this.#deps.clock.schedule(lookInMs, () => this.#look());
    if (calls.areBusy) void calls.oneEnded().then(() => this.#lookSoon());
  }

  /** Whether a wait was over. */
  #endDue(nowMs: number): boolean {
    const due = [...this.#open].filter(([wait]) => endsHere(wait) && wait.dueAtMs <= nowMs);
    for (const [wait, { resolve }] of due) {
      this.#open.delete(wait);
      resolve();
    }
    return due.length > 0;
  }
}

function toRunWait(wait: StepWait): RunWait {
  const { kind, stepName, dueAtMs } = wait;
  const until = Number.isFinite(dueAtMs) ? toIsoTime(dueAtMs) : null;
  switch (kind) {
    case 'signal':
      return { kind, stepName, until, signal: wait.signal };
    case 'run':
      return { kind, stepName, until, runId: wait.runId };
    default:
      return { kind, stepName, until };
  }
}
