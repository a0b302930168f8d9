import type { RunContext } from '../../core/run-context.ts';
import type { Store } from '../../core/store.ts';
import type { Clock } from '../../core/time/clock.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { Intake } from './claiming/intake.ts';
import type { Slot } from './slots/slot.ts';
import type { Slots } from './slots/slots.ts';

const HAND_BACK_WITHIN_MS = 1_000;

interface DrainDeps {
  readonly store: Store;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly intake: Intake;
  readonly slots: Slots;
  readonly pollingIntervalMs: number;
}

/** Returns the runs that are not waited for now. It is called again for each look, because they change. */
type Spared = () => ReadonlySet<RunContext>;

const nobody: Spared = () => new Set();

/** Ends a worker's runs: waits for them, or hands them back. */
export class Drain {
  readonly #deps: DrainDeps;
  #handingBack: Promise<void> = Promise.resolve();
  /** Calls of `stop` inside jobs. They wait for none of the runs that made these calls. */
  readonly #callsInRuns = new Set<{ readonly context: RunContext }>();

  constructor(deps: DrainDeps) {
    this.#deps = deps;
  }

  /** Resolves when nothing is executed any more. */
  async everything(): Promise<void> {
    const cancel = this.#handBackStranded();
    await this.#settled(nobody).finally(cancel);
  }

  /**
   * Resolves when everything is over that the caller may wait for. Inside a job this excludes its
   * own run and the runs that wait for it. After `timeoutMs` the remaining runs are handed back.
   */
  async forCaller({ timeoutMs, everything }: { timeoutMs: number | undefined; everything: Promise<void> }) {
    const { caller } = this.#deps.slots;
    if (caller === undefined) return await this.#within(timeoutMs, everything, nobody);
    const call = { context: caller.context };
    this.#callsInRuns.add(call);
    this.#deps.slots.noteChange();
    const spared = () =>
      this.#deps.slots.waits.heldUpBy(new Set([...this.#callsInRuns].map(({ context }) => context)));
    await this.#within(timeoutMs, this.#settled(spared), spared).finally(() =>
      this.#callsInRuns.delete(call),
    );
  }

  async #settled(spared: Spared): Promise<void> {
    await this.#deps.intake.settled();
    await this.#deps.slots.settled(spared);
    await this.#handingBack;
  }

  /**
   * Hands back the runs that are still executed after that time, and waits {@link HAND_BACK_WITHIN_MS} for the database to
   * take them.
   */
  async #within(timeoutMs: number | undefined, drained: Promise<void>, spared: Spared): Promise<void> {
    if (timeoutMs === undefined) return await drained;
    const { clock, bus, intake, slots } = this.#deps;
    let cancel: () => void = () => undefined;
    let isHandedBack = false;
    const givenUp = new Promise<void>((resolve) => {
      cancel = clock.schedule(timeoutMs, () => {
        const earlier = this.#handingBack;
        // A claim under way hands back what it has taken.
        this.#handingBack = Promise.all([slots.handBackAll(spared), intake.settled()]).then(() => {
          isHandedBack = true;
          return earlier;
        });
        cancel = clock.schedule(HAND_BACK_WITHIN_MS, () => {
          const error = isHandedBack
            ? 'the runs are handed back, and what else was under way has not ended in time'
            : 'the database has not taken the runs back';
          bus.reportWorkerError({ error, context: 'hand-back' });
          resolve();
        });
      });
    });
    await Promise.race([drained, givenUp]).finally(() => cancel());
  }

  /**
   * Hands back runs that wait for a pending run. This worker claims no more, and no other worker has
   * claimed it within a polling interval. The returned function ends this.
   */
  #handBackStranded(): () => void {
    const { clock, bus, slots, pollingIntervalMs } = this.#deps;
    let cancel: () => void = () => undefined;
    const lookLater = () => {
      cancel = clock.schedule(pollingIntervalMs, () => {
        lookLater();
        for (const slot of slots.waiting) {
          this.#handBackIfStranded(slot).catch((error: unknown) => {
            bus.reportWorkerError({ error, context: 'hand-back', runId: slot.context.runId });
          });
        }
      });
    };
    lookLater();
    return () => cancel();
  }

  async #handBackIfStranded(slot: Slot): Promise<void> {
    const { slots, store } = this.#deps;
    for (const { runId } of slots.waits.awaitedElsewhere(slot.context)) {
      const run = await store.getRun(runId, { asOf: 'now' });
      if (run?.status === 'pending' || run?.status === 'waiting') slot.handBack();
    }
  }
}
