import type { Clock } from '../../../core/time/clock.ts';

interface DueLooksDeps {
  readonly clock: Clock;
  /** After this time without a look, the next claim looks; ms. */
  readonly wakesEveryMs: number;
}

/** Which claims also look for what is due. A poll does. Of the claims between polls, one does per interval. */
export class DueLooks {
  readonly #clock: Clock;
  readonly #everyMs: number;
  /** When a claim looked for waiting runs last, on the monotonic clock. */
  #runsAtMs = Number.NEGATIVE_INFINITY;
  /** When a claim looked for schedules last, on the monotonic clock. */
  #schedulesAtMs = Number.NEGATIVE_INFINITY;

  constructor({ clock, wakesEveryMs }: DueLooksDeps) {
    this.#clock = clock;
    this.#everyMs = wakesEveryMs;
  }

  /** A waiting run is due: the next claim looks for it. That says nothing of schedules. */
  expectRuns(): void {
    this.#runsAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Waiting runs and schedules are looked for now, without a claim. */
  noteLook(): void {
    this.#runsAtMs = this.#clock.monotonicMs();
    this.#schedulesAtMs = this.#runsAtMs;
  }

  /** What a claim that leaves now looks for. It counts as done. */
  begin({ isPoll }: { readonly isPoll: boolean }): {
    readonly forRuns: boolean;
    readonly forSchedules: boolean;
  } {
    const nowMs = this.#clock.monotonicMs();
    const forRuns = isPoll || nowMs - this.#runsAtMs >= this.#everyMs;
    const forSchedules = isPoll || nowMs - this.#schedulesAtMs >= this.#everyMs;
    if (forRuns) this.#runsAtMs = nowMs;
    if (forSchedules) this.#schedulesAtMs = nowMs;
    return { forRuns, forSchedules };
  }
}
