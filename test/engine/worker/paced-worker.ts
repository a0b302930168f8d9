import { setImmediate as nextTurn } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { Claim, ClaimedRun, ClaimRequest, Woken } from '../../../src/core/ownership/claim.ts';
import { EventBus } from '../../../src/engine/events/event-bus.ts';
import { RunLog } from '../../../src/engine/events/run-log.ts';
import { Housekeeping } from '../../../src/engine/housekeeping.ts';
import { Registry } from '../../../src/engine/jobs/registry.ts';
import { NO_PLUGINS } from '../../../src/engine/plugins/plugins.ts';
import { Worker } from '../../../src/engine/worker/worker.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { fakeStore } from '../../support/fake-store.ts';
import { idle } from '../../support/idle.ts';
import { job } from '../../support/jobs.ts';
import { type Deferred, deferred } from '../../support/until.ts';
import { claimedRun } from '../claimed-run.ts';

export const NOTHING: Claim = { runs: [], lost: [], more: false, moreDue: false };
export const NOTHING_DUE: Woken = { pending: 0, lost: [], moreDue: false };

let nextRun = 0;

/** A claimed run of the worker's job. */
export const heldRun = (changes: Partial<ClaimedRun> = {}) =>
  claimedRun({ runId: `run_${++nextRun}`, jobName: 'held', ...changes });

/** A started worker on a fake store. Its claims are answered from a list, and are then empty. */
export function pacedWorker({ maxConcurrentRuns = 1 } = {}) {
  const clock = new FakeClock();
  const bus = new EventBus(clock);
  const registry = new Registry();
  const gates: Deferred[] = [];
  const claims: ClaimRequest[] = [];
  const answers: (() => Promise<Claim> | Claim)[] = [];
  const looks: number[] = [];
  const dueAnswers: (() => Promise<Woken> | Woken)[] = [];
  const handedBack: string[] = [];
  const errors: string[] = [];
  let ends: Deferred | undefined;
  let lane: Deferred | undefined;
  let seesAll = true;
  bus.on('worker:error', ({ context }) => errors.push(context));
  const store = fakeStore({
    claim: async (decide) => {
      // Like the lane, it lets everything of this turn of the event loop leave together.
      await nextTurn();
      await lane?.promise;
      const request = decide({ seesAll });
      if (request === undefined) return NOTHING;
      claims.push(request);
      return (await answers.shift()?.()) ?? NOTHING;
    },
    wakeDue: async () => {
      looks.push(clock.monotonicMs());
      return (await dueAnswers.shift()?.()) ?? NOTHING_DUE;
    },
    append: async () => {
      await ends?.promise;
      return 'stored';
    },
    // What leaves with claims, for operators.
    noteWorker: async () => undefined,
    forgetWorker: async () => undefined,
    renew: async (leases) => [...leases],
    handBack: async (leases) => {
      handedBack.push(...leases.map(({ runId }) => runId));
      return [];
    },
    deletePortion: async () => false,
    purgePortion: async () => false,
    forgetThrottles: async () => false,
    cancelBelow: async () => ({ cancelled: [], more: false }),
  });
  registry.add([
    job('held', async () => {
      const gate = deferred();
      gates.push(gate);
      await gate.promise;
    }),
  ]);
  const worker = new Worker(
    {
      store,
      bus,
      clock,
      registry,
      housekeeping: new Housekeeping({ store, bus, clock: new FakeClock() }),
      log: new RunLog(),
      errorDetail: 'full',
      plugins: NO_PLUGINS,
    },
    {
      presence: 'resident',
      pollingIntervalMs: 1_000,
      heartbeatIntervalMs: 500_000,
      staleThresholdMs: 600_000,
      maxConcurrentRuns,
      maxResultBytes: 1_000_000,
    },
  );
  onTestFinished(async () => {
    const stopped = worker.stop({ timeoutMs: 0 });
    clock.advance(0);
    await stopped;
  });
  /** The number of claims during this time. */
  const claimsDuring = async (ms: number) => {
    const before = claims.length;
    clock.advance(ms);
    await idle();
    return claims.length - before;
  };
  /** Ends are stored only when the returned function is called. */
  const holdEnds = () => {
    const held = deferred();
    ends = held;
    return () => {
      ends = undefined;
      held.resolve();
    };
  };
  /** Claims leave only when the returned function is called. */
  const holdClaims = () => {
    const held = deferred();
    lane = held;
    return () => {
      lane = undefined;
      held.resolve();
    };
  };
  /** Sets whether claims see everything that was to be stored before them. */
  const seeAll = (value: boolean) => {
    seesAll = value;
  };
  return {
    seeAll,
    holdEnds,
    holdClaims,
    worker,
    clock,
    claims,
    answers,
    looks,
    dueAnswers,
    gates,
    errors,
    handedBack,
    claimsDuring,
  };
}
