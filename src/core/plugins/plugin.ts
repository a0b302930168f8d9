import type { DurablyEvent, EventType } from '../events.ts';
import type { ClaimKind } from '../ownership/claim.ts';
import type { Labels } from '../triggers/labels.ts';

/**
 * What extends an instance: metrics, tracing, encryption and the like. The plugins of `use` are called in their order, and
 * each call is awaited, unless it says otherwise. All members but `name` are optional.
 *
 * @example
 * import { createDurably, type DurablyPlugin } from 'durably'
 *
 * const timing: DurablyPlugin = {
 *   name: 'timing',
 *   async aroundStep({ stepName }, next) {
 *     const startMs = performance.now()
 *     try {
 *       await next()
 *     } finally {
 *       console.log(stepName, performance.now() - startMs)
 *     }
 *   },
 * }
 * const durably = createDurably({ dialect, use: [timing] })
 */
export interface DurablyPlugin<TData = unknown> {
  /** 1 to 64 letters, digits and `._/-`. It marks what the plugin stores, so it must stay the same. */
  readonly name: string;
  /**
   * Called before a run is stored. What it returns (JSON, at most 4 KiB) is stored with the run as `data` for the plugin's
   * own {@link aroundRun} and {@link aroundStep}, and shown nowhere. If it throws, nothing is stored and the caller of the
   * trigger gets the error.
   */
  onTrigger?(trigger: PluginTrigger): TData | undefined | Promise<TData | undefined>;
  /**
   * Called around each execution of a run: its first, and each one that goes on after a wait, a retry or a crash. It has to
   * call `next` once. If it throws, the run fails.
   *
   * @param next executes the job. Resolves with what became of the run, rejects with what the job throws. If a sensitive step threw
   * it, nothing but its name is left.
   */
  aroundRun?(run: PluginRun<TData>, next: () => Promise<ExecutionOutcome>): unknown;
  /**
   * Called around each try of a `step.run`. A step that is replayed is not tried. It has to call `next` once. If it throws,
   * the try fails.
   *
   * @param next calls the step's function. Rejects with what that throws. If a sensitive step threw it, nothing but its name is left.
   */
  aroundStep?(step: PluginStep<TData>, next: () => Promise<void>): unknown;
  /**
   * Makes of each payload what is stored: of inputs, outputs, results of steps, signals, data of log lines and of events, and
   * errors. It gets a JSON text, or a message, and may return any text. Needs `decode`.
   */
  encode?(text: string): string | Promise<string>;
  /** The reverse of {@link encode}. If it throws, the value is shown as `[encrypted]`, and a run that needs it fails. */
  decode?(encoded: string): string | Promise<string>;
  /**
   * Called with each event of this process after it was stored, in order. It is not awaited: what it throws goes to
   * `onError`, and no run notices it.
   */
  onEvent?(event: DurablyEvent): unknown;
  /** The types of events for which {@link onEvent} is called. Others are not made for it, which saves their time. Default: all. */
  readonly events?: readonly EventType[] | undefined;
}

/** How a run comes to be triggered. A `schedule` is triggered when it is put, not at its slots. */
export type TriggerKind = 'trigger' | 'step' | 'retrigger' | 'fork' | 'schedule';

/** A run, or a schedule, that is to be stored. */
export interface PluginTrigger {
  readonly kind: TriggerKind;
  /** The id of the run. A trigger with a key may find another run, which stays as it is. Undefined for a schedule. */
  readonly runId: string | undefined;
  readonly jobName: string;
  /** The input as the job will get it. Parsed when it is read. */
  readonly input: unknown;
  readonly labels: Labels;
  readonly idempotencyKey: string | null;
  readonly concurrencyKey: string | null;
  /** The run whose step triggers it. */
  readonly parentRunId: string | null;
  /** The run of which it is a copy, for a `retrigger` and a `fork`. */
  readonly sourceRunId: string | null;
}

/** A run that is executed. */
export interface PluginRun<TData = unknown> {
  readonly runId: string;
  readonly jobName: string;
  /** 1 for the first try, one more for each retry and takeover. */
  readonly attempt: number;
  /** `start` of an attempt, `resume` after a wait or a hand-back, `takeover` from a lost worker. */
  readonly kind: ClaimKind;
  /** How many steps are stored as completed. */
  readonly stepCount: number;
  readonly version: number;
  /** When it was triggered, or its delay was over: ms since the epoch, by the database's clock, like the next two. */
  readonly dueSinceMs: number;
  /** When it was first claimed. */
  readonly startedAtMs: number;
  /** When it was claimed for this execution. */
  readonly claimedAtMs: number;
  readonly concurrencyKey: string | null;
  readonly parentRunId: string | null;
  /** The input. Parsed when it is read. */
  readonly input: unknown;
  /** What this plugin's `onTrigger` returned. */
  readonly data: TData | undefined;
  /** Whether plugins of this instance encode payloads. What the job throws may hold some: it should not be kept elsewhere then. */
  readonly isEncoded: boolean;
  /** Aborted when the run is no longer this worker's. */
  readonly signal: AbortSignal;
}

/** A step whose function is called. */
export interface PluginStep<TData = unknown> {
  readonly run: PluginRun<TData>;
  readonly stepName: string;
  readonly stepIndex: number;
  /** Which try of the step this is: 1, 2, … */
  readonly attempt: number;
}

/**
 * What became of a run's execution, if its job did not fail. `waiting` and `handed-back`: it goes on in a later execution.
 * `cancelled` and `lease-lost`: it is not this worker's any more.
 */
export type ExecutionOutcome = 'completed' | 'waiting' | 'handed-back' | 'cancelled' | 'lease-lost';
