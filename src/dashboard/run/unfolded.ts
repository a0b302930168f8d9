import { signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import type { Lane } from './lane.ts';
import { LiveRun } from './live-run.ts';
import type { RunModel } from './run-model.ts';

/** A row of the timeline: of the run itself, or of a run that one of its steps has started. */
export interface ShownLane {
  readonly lane: Lane;
  /** The id of the run to which it belongs. */
  readonly runId: string;
  /** 0 for the page's own run. */
  readonly depth: number;
}

/** A browser has six connections for all tabs of a service over HTTP/1.1, so few are held for the runs below. */
const MAX_FOLLOWED = 2;
/** How long a run is followed before it is another's turn, if more are unfolded. */
const TURN_MS = 3000;

/** The runs below a run whose rows are unfolded. Two are followed at once, and more take turns. */
export class UnfoldedRuns {
  readonly #runs = signal<ReadonlyMap<string, LiveRun>>(new Map());

  #followed: readonly LiveRun[] = [];
  #turnTimer: ReturnType<typeof setTimeout> | undefined;

  isOpen(runId: string): boolean {
    return this.#runs.value.has(runId);
  }

  toggle(runId: string): void {
    const next = new Map(this.#runs.peek());
    const open = next.get(runId);
    if (open !== undefined) next.delete(runId);
    else next.set(runId, new LiveRun(runId));
    this.#runs.value = next;
    // A run that was unfolded is shown at once.
    this.#follow(open === undefined ? [...next.values()].toReversed() : [...next.values()]);
  }

  /** Follows the first of these, and lets the others have their turns. */
  #follow(runs: readonly LiveRun[]): void {
    clearTimeout(this.#turnTimer);
    const before = this.#followed;
    this.#followed = runs.slice(0, MAX_FOLLOWED);
    for (const live of before) if (!this.#followed.includes(live)) live.stop();
    for (const live of this.#followed) if (!before.includes(live)) live.start();
    if (runs.length <= MAX_FOLLOWED) return;
    const next = [...runs.slice(MAX_FOLLOWED), ...this.#followed];
    this.#turnTimer = setTimeout(() => this.#follow(next), TURN_MS);
  }

  stop(): void {
    this.#follow([]);
  }

  /** The rows of a run's steps, each followed by those of the run that it has started, if that is unfolded. */
  lanesOf(model: RunModel, runId: string, depth = 0): ShownLane[] {
    return model.steps.flatMap((lane) => {
      const row = { lane, runId, depth };
      const child = lane.childRunId === null ? undefined : this.#runs.value.get(lane.childRunId);
      if (child === undefined) return [row];
      child.version.value;
      return [row, ...this.lanesOf(child.model, child.id, depth + 1)];
    });
  }
}

export function useUnfoldedRuns(runId: string): UnfoldedRuns {
  const unfolded = useMemo(() => new UnfoldedRuns(), [runId]);
  useEffect(() => () => unfolded.stop(), [unfolded]);
  return unfolded;
}
