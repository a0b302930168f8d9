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

/** The runs below a run whose rows are unfolded. They are followed while they are. */
export class UnfoldedRuns {
  readonly #runs = signal<ReadonlyMap<string, LiveRun>>(new Map());

  isOpen(runId: string): boolean {
    return this.#runs.value.has(runId);
  }

  toggle(runId: string): void {
    const next = new Map(this.#runs.peek());
    const open = next.get(runId);
    if (open !== undefined) {
      open.stop();
      next.delete(runId);
    } else {
      const live = new LiveRun(runId);
      live.start();
      next.set(runId, live);
    }
    this.#runs.value = next;
  }

  stop(): void {
    for (const live of this.#runs.peek().values()) live.stop();
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
