import { drain, drainTimes, handBackNow } from './drain.ts';
import { log } from './log.ts';
import type { RunningService } from './start.ts';

const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
type Signal = keyof typeof EXIT_CODES;

/** A service that hands back at once exits by then, whatever happens. */
const QUIT_WITHIN_MS = 2000;
/**
 * A terminal sends a signal to the whole process group, and npm forwards it once more. The same signal within
 * this time is that echo.
 */
const ECHO_MS = 300;

export interface SignalOptions {
  /** `hands back` is for a watcher that restarts the service on each change. */
  readonly firstSignal: 'drains' | 'hands back';
  /** The exit code if the service can't start or can't stop: {@link FAILURE_CODE} by default. */
  readonly failureCode?: number | undefined;
  /** Called when the signals are handled here, so that nothing else handles them. */
  readonly onHandled?: (() => void) | undefined;
}

export const FAILURE_CODE = 1;

/**
 * Handles the signals that end the service. The first signal drains it, and it exits with 0. The second hands
 * the runs back at once. The third exits immediately. Before the service has started there is nothing to drain,
 * and it exits with 0 at once.
 */
export class Signals {
  readonly #options: SignalOptions;
  readonly #isBelowNpm = process.env.npm_lifecycle_event !== undefined;
  #service: RunningService | undefined;
  #received = 0;
  #last: { readonly signal: Signal; readonly atMs: number } | undefined;

  constructor(options: SignalOptions) {
    this.#options = options;
    options.onHandled?.();
    for (const signal of Object.keys(EXIT_CODES) as Signal[]) {
      process.on(signal, () => {
        if (!this.#isEcho(signal)) this.#receive(signal);
      });
    }
  }

  /** Set when the service has started and can be drained. */
  set service(service: RunningService) {
    this.#service = service;
  }

  #receive(signal: Signal): void {
    this.#received++;
    const service = this.#service;
    if (service === undefined) {
      log.info(`${signal}: stopped before it listened`);
      process.exit(0);
    }
    if (this.#options.firstSignal === 'hands back') {
      // A watcher may repeat its signal. The hand-back already ends the process.
      if (this.#received === 1) this.#handBack(service, { signal, exitCode: 0 });
    } else if (this.#received === 1) {
      this.#drain(service, signal);
    } else if (this.#received === 2) {
      this.#handBack(service, { signal, exitCode: EXIT_CODES[signal] });
    } else {
      process.exit(EXIT_CODES[signal]);
    }
  }

  #isEcho(signal: Signal): boolean {
    if (!this.#isBelowNpm) return false;
    const atMs = performance.now();
    const isEcho = this.#last?.signal === signal && atMs - this.#last.atMs < ECHO_MS;
    // npm sends one echo per signal, so a further one comes from the user.
    this.#last = isEcho ? undefined : { signal, atMs };
    return isEcho;
  }

  #drain(service: RunningService, signal: Signal): void {
    const { waitMs, withinMs } = drainTimes(service.config.DURABLY_SHUTDOWN_MS);
    log.info(`${signal}: draining: ${waitingFor(service.durably.countRunning(), waitMs)}`);
    endBy(drain(service), { exitCode: 0, failureCode: this.#failureCode, withinMs });
  }

  #handBack(service: RunningService, { signal, exitCode }: { signal: Signal; exitCode: number }): void {
    log.info(`${signal}: handing back ${counted(service.durably.countRunning())} at once`);
    endBy(handBackNow(service), { exitCode, failureCode: this.#failureCode, withinMs: QUIT_WITHIN_MS });
  }

  get #failureCode(): number {
    return this.#options.failureCode ?? FAILURE_CODE;
  }
}

function waitingFor(runs: number, waitMs: number): string {
  if (runs === 0) return 'no run is at work; a second signal quits at once';
  const seconds = Math.round(waitMs / 100) / 10;
  return `waiting for ${counted(runs)} for up to ${seconds} s; a second signal hands back and quits at once`;
}

function counted(runs: number): string {
  return runs === 1 ? '1 run' : `${runs} runs`;
}

interface EndOptions {
  readonly exitCode: number;
  readonly failureCode: number;
  readonly withinMs: number;
}

function endBy(work: Promise<void>, { exitCode, failureCode, withinMs }: EndOptions): void {
  setTimeout(() => {
    log.error(`not drained within ${withinMs} ms`);
    process.exit(exitCode === 0 ? failureCode : exitCode);
  }, withinMs);
  work.then(
    () => {
      log.info('stopped');
      process.exit(exitCode);
    },
    (error: unknown) => {
      log.failure('draining failed', error);
      process.exit(failureCode);
    },
  );
}
