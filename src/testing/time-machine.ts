import type { TestDatabase } from '../storage/sqlite/testing/test-database.ts';
import type { FakeClock } from './fake-clock.ts';
import type { TestProcess } from './test-process.ts';

// Those of the system, even if a test replaces the global ones later.
const { setImmediate: nextTurn, setTimeout: realTimer } = globalThis;

/** So many turns of the event loop without a statement, and nothing goes on by itself any more. */
const QUIET_TURNS = 6;
/** How long user code may take before a time that a test has asked for passes nevertheless, ms of real time. */
const PATIENCE_MS = 50;
/** How long plugins that work on triggers and payloads may take for one. After this, time passes until the instance gives them up. */
const PLUGIN_PATIENCE_MS = 250;
/** A test that needs more steps of time than this never ends. */
const MAX_STEPS = 100_000;

interface MachineParts {
  readonly clock: FakeClock;
  readonly database: TestDatabase;
  readonly staleThresholdMs: number;
  /** The process of now. It may end meanwhile, and then the next one is started. */
  readonly process: () => TestProcess;
}

/** How far time may pass. */
export interface Passage {
  /** Until then at the latest, on the clock of the test. Infinity: as far as something is due. */
  readonly untilMs: number;
  /** Whether what the caller waits for has come. */
  readonly isOver: () => Promise<boolean>;
  /** Whether time passes while the functions of steps are executed, after a moment. */
  readonly isAsked: boolean;
}

/** How long user code may still take, ms of real time. */
type Patience = Record<'code' | 'plugins', number>;

/** Lets time pass from one thing that is due to the next one, and everything be done in between. */
export class TimeMachine {
  readonly #parts: MachineParts;

  constructor(parts: MachineParts) {
    this.#parts = parts;
  }

  /**
   * Resolves with `over`, or with `nothing-due` if nothing would come before `untilMs`.
   *
   * @throws what a worker fails with.
   */
  async pass(passage: Passage): Promise<'over' | 'nothing-due'> {
    const { clock } = this.#parts;
    const patience: Patience = {
      code: passage.isAsked ? PATIENCE_MS : Number.POSITIVE_INFINITY,
      plugins: PLUGIN_PATIENCE_MS,
    };
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      await this.#untilQuiet(patience);
      if (await passage.isOver()) return 'over';
      const nextMs = this.#nextMs();
      if (nextMs === undefined || nextMs > passage.untilMs) {
        if (Number.isFinite(passage.untilMs)) clock.advance(passage.untilMs - clock.now());
        return 'nothing-due';
      }
      clock.advance(nextMs - clock.now());
    }
    const now = new Date(clock.now()).toISOString();
    throw new Error(`Something is due again and again: ${MAX_STEPS} steps of time led to ${now}`);
  }

  /** Executes what can be executed now. Resolves when only time, or a caller, makes something go on. */
  async #untilQuiet(patience: Patience): Promise<void> {
    const { database } = this.#parts;
    let process = this.#parts.process();
    process.work();
    let answers = 0;
    for (let quietTurns = 0, statements = -1; process.isWorking && quietTurns < QUIET_TURNS; ) {
      const { isBusy, isInPlugin, pluginAnswers } = process.activity;
      if (pluginAnswers !== answers) patience.plugins = PLUGIN_PATIENCE_MS;
      answers = pluginAnswers;
      const of = isInPlugin ? 'plugins' : 'code';
      const isWaitingForCode = (isInPlugin || isBusy) && patience[of] > 0;
      if (isWaitingForCode && quietTurns > 0) {
        await new Promise<void>((resolve) => realTimer(resolve, 1));
        patience[of]--;
      } else await new Promise<void>((resolve) => nextTurn(resolve));
      const isQuiet = database.statements === statements && !isWaitingForCode;
      quietTurns = isQuiet || quietTurns === 0 ? quietTurns + 1 : 1;
      statements = database.statements;
      if (!process.isGone) continue;
      process = this.#parts.process();
      process.work();
      quietTurns = 0;
    }
    process.throwIfFailed();
  }

  /** When the next thing comes. */
  #nextMs(): number | undefined {
    const { clock, database, staleThresholdMs } = this.#parts;
    const [timerMs = Number.POSITIVE_INFINITY] = clock.pendingMs;
    const nowMs = clock.now();
    const dueMs = database.nextDueMs({ afterMs: nowMs, staleThresholdMs }) ?? Number.POSITIVE_INFINITY;
    const nextMs = Math.min(nowMs + timerMs, dueMs);
    // Its worker has no timer for what it has not put to wait itself.
    if (nextMs === dueMs) this.#parts.process().expectDue();
    return Number.isFinite(nextMs) ? nextMs : undefined;
  }
}
