import type { FlowAction, FlowPlan } from '../service/flow.ts';
import type { Random } from '../support/random.ts';

/** The names of signals. Steps of one run share them. */
export const SIGNALS = ['red', 'green'] as const;
/** Runs below a run without a parent. */
const MAX_LEVELS = 3;
/** So many steps of all runs of a tree, so that no tree takes too long. */
const MAX_ACTIONS = 14;

/** Random plans for a tree of runs. */
export function planFlow(random: Random): FlowPlan {
  return new Planner(random).plan(null, 0);
}

class Planner {
  readonly #random: Random;
  #actions = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  plan(startedBy: string | null, level: number): FlowPlan {
    const random = this.#random;
    const actions: FlowAction[] = [];
    const count = random.int(1, level === 0 ? 5 : 3);
    for (let i = 0; i < count; i++) {
      const isTogether = random.chance(0.2);
      actions.push(
        isTogether
          ? { kind: 'together', actions: [this.#action(`${i}a`, level), this.#action(`${i}b`, level)] }
          : this.#action(`${i}`, level),
      );
    }
    const fails = level > 0 && random.chance(0.1);
    return { startedBy, actions, flakyAttempts: random.chance(0.15) ? random.int(1, 2) : 0, fails };
  }

  #action(name: string, level: number): FlowAction {
    const random = this.#random;
    this.#actions++;
    const mayStart = level < MAX_LEVELS && this.#actions < MAX_ACTIONS;
    const kinds = ['run', 'run', 'sleep', 'signal', ...(mayStart ? (['invoke', 'trigger'] as const) : [])];
    const kind = random.pick(kinds as FlowAction['kind'][]);
    switch (kind) {
      case 'sleep':
        // From a second on, the run gives up its slot.
        return { kind, name: `sleep ${name}`, ms: random.pick([0, 50, 300, 1_000, 1_300]) };
      case 'signal': {
        const timeoutMs = random.chance(0.4) ? random.int(100, 2_000) : undefined;
        return { kind, name: `signal ${name}`, signal: random.pick(SIGNALS), timeoutMs };
      }
      case 'invoke':
      case 'trigger':
        return { kind, name: `${kind} ${name}`, plan: this.plan(`${kind} ${name}`, level + 1) };
      default:
        return this.#run(`step ${name}`);
    }
  }

  #run(name: string): FlowAction {
    const random = this.#random;
    const failures = random.chance(0.4) ? random.int(1, 2) : 0;
    // A few steps fail for good, and their runs with them.
    const retries = failures > 0 && random.chance(0.1) ? failures - 1 : failures;
    const delayMs = random.pick([20, 200, 1_100]);
    return { kind: 'run', name, failures, retries, delayMs, ms: random.int(0, 20) };
  }
}
