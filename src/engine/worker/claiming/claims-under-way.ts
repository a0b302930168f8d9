import type { ClaimedRun } from '../../../core/ownership/claim.ts';
import type { Store } from '../../../core/store.ts';

/** A claim, from its request until its runs are in their slots. */
export interface ClaimUnderWay {
  /** The slots that are reserved for its runs. None before it leaves. */
  keptSlots: number;
  takesSuspect: boolean;
  /** Runs that this process cancelled while the claim was under way. The claim may have taken them before that. */
  readonly cancelled: Set<string>;
}

/**
 * A worker's claims. One may wait to leave while the runs of earlier ones are on their way into the
 * slots. Each reserves the slots that it asks for, so that together they take no more runs than
 * there are slots. At most one of them may take a suspect.
 */
export class ClaimsUnderWay {
  readonly #claims = new Map<ClaimUnderWay, Promise<unknown>>();

  /** How many slots are reserved for these claims. */
  get keptSlots(): number {
    let kept = 0;
    for (const { keptSlots } of this.#claims.keys()) kept += keptSlots;
    return kept;
  }

  get mayTakeSuspect(): boolean {
    return [...this.#claims.keys()].some(({ takesSuspect }) => takesSuspect);
  }

  /** Does the work of a claim, which counts as under way until the work is done. */
  async follow<T>(work: (claim: ClaimUnderWay) => Promise<T>): Promise<T> {
    const claim: ClaimUnderWay = { keptSlots: 0, takesSuspect: false, cancelled: new Set<string>() };
    // Entered before the work starts, because the work may request another claim.
    this.#claims.set(claim, Promise.resolve());
    const done = work(claim);
    this.#claims.set(claim, done);
    try {
      return await done;
    } finally {
      this.#claims.delete(claim);
    }
  }

  noteCancelled(runId: string): void {
    for (const { cancelled } of this.#claims.keys()) cancelled.add(runId);
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#claims.values());
  }
}

/** The claimed runs that were not cancelled here before they got a slot. */
export async function stillHeld(
  runs: readonly ClaimedRun[],
  { cancelled }: ClaimUnderWay,
  store: Store,
): Promise<ClaimedRun[]> {
  let held = [...runs];
  for (;;) {
    const unconfirmed = held.filter(({ runId }) => cancelled.has(runId));
    cancelled.clear();
    if (unconfirmed.length === 0) return held;
    // The run may have been cancelled and retried before the claim took it. Only the database knows.
    const kept = await store.renew(unconfirmed).catch(() => unconfirmed);
    const keptIds = new Set(kept.map(({ runId }) => runId));
    held = held.filter((run) => !unconfirmed.includes(run) || keptIds.has(run.runId));
  }
}
