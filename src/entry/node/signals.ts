import { drain, drainTimes, handBackNow } from './drain.ts';
import { log, logError } from './report.ts';
import type { RunningService } from './start.ts';

const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
type Signal = keyof typeof EXIT_CODES;

/** However it fares, a service that hands back at once has ended by then. */
const QUIT_WITHIN_MS = 2000;
/** npm passes on what a terminal has already sent to the whole group: within this time the same signal is its echo. */
const ECHO_MS = 300;

export interface SignalOptions {
  /** `hands back`: for a watcher that starts the service again on each change. */
  readonly firstSignal: 'drains' | 'hands back';
}

/**
 * What ends the service. The first signal drains it, and it exits with 0; the
 * second has the runs handed back at once; the third exits as it is. While it
 * starts there is nothing to drain, and it exits with 0 at once.
 */
export class Signals {
  readonly #options: SignalOptions;
  readonly #isBelowNpm = process.env.npm_lifecycle_event !== undefined;
  #service: RunningService | undefined;
  #received = 0;
  #last: { readonly signal: Signal; readonly atMs: number } | undefined;

  constructor(options: SignalOptions) {
    this.#options = options;
    for (const signal of Object.keys(EXIT_CODES) as Signal[]) {
      process.on(signal, () => {
        if (!this.#isEcho(signal)) this.#receive(signal);
      });
    }
  }

  /** From now on there is something to drain. */
  set service(service: RunningService) {
    this.#service = service;
  }

  #receive(signal: Signal): void {
    this.#received++;
    const service = this.#service;
    if (service === undefined) {
      log(`${signal}: stopped before it listened`);
      process.exit(0);
    }
    if (this.#options.firstSignal === 'hands back') {
      // A watcher may repeat its signal; this ends by itself.
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
    // One echo for each signal: what follows it is another press of the key.
    this.#last = isEcho ? undefined : { signal, atMs };
    return isEcho;
  }

  #drain(service: RunningService, signal: Signal): void {
    const { waitMs, withinMs } = drainTimes(service.config.DURABLY_SHUTDOWN_MS);
    log(`${signal}: draining: ${waitingFor(service.durably.countRunning(), waitMs)}`);
    endBy(drain(service), { exitCode: 0, withinMs });
  }

  #handBack(service: RunningService, { signal, exitCode }: { signal: Signal; exitCode: number }): void {
    log(`${signal}: handing back ${counted(service.durably.countRunning())} at once`);
    endBy(handBackNow(service), { exitCode, withinMs: QUIT_WITHIN_MS });
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

function endBy(work: Promise<void>, { exitCode, withinMs }: { exitCode: number; withinMs: number }): void {
  setTimeout(() => {
    console.error(`durably: not drained within ${withinMs} ms`);
    process.exit(exitCode === 0 ? 1 : exitCode);
  }, withinMs);
  work.then(
    () => {
      log('stopped');
      process.exit(exitCode);
    },
    (error: unknown) => {
      logError('draining failed', error);
      process.exit(1);
    },
  );
}
