import type { Clock } from '../core/clock.ts';
import { toIsoTime } from '../core/clock.ts';
import { errorMessage, ValidationError } from '../core/errors.ts';
import {
  type DurablyEvent,
  EVENT_TYPES,
  type EventHandler,
  type EventType,
  type JournalNote,
  type JournalRow,
  toEvent,
  type WorkerErrorEvent,
} from '../core/events.ts';
import { callOutsideRuns } from '../core/run-context.ts';
import { reportToConsole, watchRejection } from '../core/user-code.ts';

/** What this process committed to the journal. */
export interface Committed {
  readonly run: { readonly runId: string; readonly jobName: string; readonly attempt?: number };
  readonly note: JournalNote;
  /** How long before the commit it happened. */
  readonly ageMs?: number;
}

type AnyHandler = (event: DurablyEvent) => unknown;
export type ErrorHandler = (error: unknown, event: DurablyEvent) => void;

/** Tells this process's listeners what this process committed, after the commit. */
export class EventBus {
  readonly #clock: Clock;
  readonly #handlers = new Map<EventType, Set<AnyHandler>>();
  readonly #errorHandlers = new Set<ErrorHandler>();
  #sequence = 0;
  /** Called at each publication, whoever listens. */
  onPublish: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  on<E extends EventType>(type: E, handler: EventHandler<E>): () => void {
    if (!EVENT_TYPES.includes(type)) throw new ValidationError(`Unknown event type: ${String(type)}`);
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers);
    // A wrapper of its own, so that one function may listen twice.
    const own: AnyHandler = (event) => handler(event as DurablyEvent<E>);
    handlers.add(own);
    return () => void handlers.delete(own);
  }

  onError(handler: ErrorHandler): () => void {
    const own: ErrorHandler = (error, event) => handler(error, event);
    this.#errorHandlers.add(own);
    return () => void this.#errorHandlers.delete(own);
  }

  publish(committed: readonly Committed[]): void {
    for (const each of committed) {
      const sequence = ++this.#sequence;
      const handlers = this.#handlers.get(each.note.type);
      if (!handlers || handlers.size === 0) continue;
      this.#tell(handlers, toEvent(toRow(each, { sequence, nowMs: this.#clock.now() })));
    }
    this.onPublish();
  }

  /** Reports what went wrong in the worker itself. */
  reportWorkerError(failure: { error: unknown; context: string; runId?: string }): void {
    const event: WorkerErrorEvent = {
      type: 'worker:error',
      timestamp: toIsoTime(this.#clock.now()),
      sequence: ++this.#sequence,
      error: errorMessage(failure.error),
      context: failure.context,
      ...(failure.runId === undefined ? {} : { runId: failure.runId }),
    };
    this.#tell(this.#handlers.get('worker:error') ?? new Set(), event);
  }

  #tell(handlers: ReadonlySet<AnyHandler>, event: DurablyEvent): void {
    for (const handler of [...handlers]) {
      try {
        // A job's call may have led to the event: whoever listens is none of its code.
        const answer = callOutsideRuns(() => handler(event));
        watchRejection(answer, (error) => this.#tellError(error, event));
      } catch (error) {
        this.#tellError(error, event);
      }
    }
  }

  #tellError(error: unknown, event: DurablyEvent): void {
    if (this.#errorHandlers.size === 0) reportToConsole(`durably: a ${event.type} listener failed:`, error);
    const report = (failure: unknown) => reportToConsole('durably: an onError handler failed:', failure);
    for (const handler of [...this.#errorHandlers]) {
      try {
        watchRejection(
          callOutsideRuns(() => handler(error, event)),
          report,
        );
      } catch (failure) {
        report(failure);
      }
    }
  }
}

function toRow(
  { run, note, ageMs = 0 }: Committed,
  { sequence, nowMs }: { sequence: number; nowMs: number },
): JournalRow {
  return {
    sequence,
    runId: run.runId,
    jobName: run.jobName,
    type: note.type,
    createdAt: nowMs - ageMs,
    attempt: run.attempt ?? null,
    stepName: note.stepName ?? null,
    stepIndex: note.stepIndex ?? null,
    level: note.level ?? null,
    message: note.message ?? null,
    data: note.data ?? null,
    durationMs: note.durationMs ?? null,
  };
}
