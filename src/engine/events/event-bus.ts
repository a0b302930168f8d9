import { errorMessage } from '../../core/errors/error-text.ts';
import { ValidationError } from '../../core/errors/errors.ts';
import type { WorkerErrorContext } from '../../core/errors/worker-error-context.ts';
import {
  type DurablyEvent,
  EVENT_TYPES,
  type EventHandler,
  type EventType,
  type JournalNote,
  type JournalRow,
  toEvent,
  type WorkerErrorEvent,
} from '../../core/events.ts';
import type { DurablyPlugin } from '../../core/plugins/plugin.ts';
import { callOutsideRuns } from '../../core/run-context.ts';
import type { Clock } from '../../core/time/clock.ts';
import { toIsoTime } from '../../core/time/clock.ts';
import { watchRejection } from '../../core/user-code.ts';
import { checkFunction } from '../../core/validation/option-types.ts';
import { shownValue } from '../../core/validation/shown-value.ts';
import { RunLog } from './run-log.ts';

/** What this process has committed to the journal. */
export interface Committed {
  readonly run: { readonly runId: string; readonly jobName: string; readonly attempt?: number };
  readonly note: JournalNote;
  /** How long before the commit the event happened. */
  readonly ageMs?: number;
}

type AnyHandler = (event: DurablyEvent) => unknown;
export type ErrorHandler = (error: unknown, event: DurablyEvent) => void;

/** Notifies this process's listeners of what it has committed, after the commit. */
export class EventBus {
  readonly #clock: Clock;
  readonly #log: RunLog;
  readonly #handlers = new Map<EventType, Set<AnyHandler>>();
  readonly #errorHandlers = new Set<ErrorHandler>();
  /** Hear every event. They don't count as listeners: the log still has what nobody listens to. */
  readonly #observers: ReadonlyMap<EventType, ReadonlySet<AnyHandler>>;
  #sequence = 0;
  #published = 0;
  /** Called at each publication, even if nobody listens. */
  onPublish: () => void = () => undefined;

  /**
   * @param log receives what nobody listens to. Default: the console.
   * @param observing plugins that hear every event
   */
  constructor(clock: Clock, log: RunLog = new RunLog(), observing?: readonly DurablyPlugin[]) {
    this.#clock = clock;
    this.#log = log;
    this.#observers = observersOf(observing);
  }

  on<E extends EventType>(type: E, handler: EventHandler<E>): () => void {
    if (!EVENT_TYPES.includes(type)) throw new ValidationError(`Unknown event type: ${shownValue(type)}`);
    checkFunction(`The handler of ${type}`, handler);
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers);
    // A separate wrapper for each call, so that one function may listen twice.
    const own: AnyHandler = (event) => handler(event as DurablyEvent<E>);
    handlers.add(own);
    return () => void handlers.delete(own);
  }

  onError(handler: ErrorHandler): () => void {
    checkFunction('The handler of onError', handler);
    const own: ErrorHandler = (error, event) => handler(error, event);
    this.#errorHandlers.add(own);
    return () => void this.#errorHandlers.delete(own);
  }

  /** How many events were published. */
  get published(): number {
    return this.#published;
  }

  /** Whether an event of this type has a listener. */
  isHeard(type: EventType): boolean {
    return (this.#handlers.get(type)?.size ?? 0) > 0;
  }

  publish(committed: readonly Committed[]): void {
    for (const each of committed) {
      const sequence = ++this.#sequence;
      const handlers = this.#handlers.get(each.note.type);
      const isHeard = handlers !== undefined && handlers.size > 0;
      const observers = this.#observers.get(each.note.type);
      if (!isHeard && observers === undefined) continue;
      const event = toEvent(toRow(each, { sequence, nowMs: this.#clock.now() }));
      if (observers !== undefined) this.#tell(observers, event);
      if (isHeard) this.#tell(handlers, event);
    }
    this.#published += committed.length;
    this.onPublish();
  }

  /** Reports an error of the worker itself. Without a listener it becomes a line in the log. */
  reportWorkerError(failure: { error: unknown; context: WorkerErrorContext; runId?: string }): void {
    const event: WorkerErrorEvent = {
      type: 'worker:error',
      timestamp: toIsoTime(this.#clock.now()),
      sequence: ++this.#sequence,
      error: errorMessage(failure.error),
      context: failure.context,
      ...(failure.runId === undefined ? {} : { runId: failure.runId }),
    };
    const observers = this.#observers.get('worker:error');
    if (observers !== undefined) this.#tell(observers, event);
    if (this.isHeard('worker:error')) this.#tell(this.#handlers.get('worker:error') ?? new Set(), event);
    else this.#log.workerError(event);
  }

  #tell(handlers: ReadonlySet<AnyHandler>, event: DurablyEvent): void {
    for (const handler of [...handlers]) {
      try {
        // A job's call may have caused the event; the listener is not the job's code.
        const answer = callOutsideRuns(() => handler(event));
        watchRejection(answer, (error) => this.#tellError(error, event));
      } catch (error) {
        this.#tellError(error, event);
      }
    }
  }

  #tellError(error: unknown, event: DurablyEvent): void {
    if (this.#errorHandlers.size === 0) this.#log.listenerFailed(`a ${event.type} listener`, error);
    const report = (failure: unknown) => this.#log.listenerFailed('an onError handler', failure);
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

function observersOf(observing: readonly DurablyPlugin[] = []): ReadonlyMap<EventType, Set<AnyHandler>> {
  const observers = new Map<EventType, Set<AnyHandler>>();
  for (const plugin of observing) {
    const tell: AnyHandler = (event) => plugin.onEvent?.(event);
    for (const type of plugin.events ?? EVENT_TYPES) {
      observers.set(type, (observers.get(type) ?? new Set()).add(tell));
    }
  }
  return observers;
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
