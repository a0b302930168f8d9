import type { Durably } from '../../../src/index.ts';
import { recordEvents } from '../../support/runs.ts';

export const keyed = (concurrencyKey: string) => ({ concurrencyKey });

/** Records which inputs are running now, and which have started so far. */
export function watch() {
  const started: unknown[] = [];
  const running = new Set<unknown>();
  let most = 0;
  return {
    started,
    running,
    get most() {
      return most;
    },
    async during(input: unknown, work: () => Promise<unknown>) {
      started.push(input);
      running.add(input);
      most = Math.max(most, running.size);
      try {
        return await work();
      } finally {
        running.delete(input);
      }
    },
  };
}

export const startedIds = (durably: Durably) => {
  const events = recordEvents(durably, ['run:start', 'run:resume']);
  return () => events.map((event) => ('runId' in event ? event.runId : ''));
};
