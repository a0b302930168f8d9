import { type Engine, INPUT, type Job } from './contender.ts';
import type { StatementCounter } from './counting.ts';

/** What an instance of durably, and of its namesake, is used by here. */
interface Instance {
  readonly jobs: Readonly<
    Record<
      Job,
      {
        trigger(input: typeof INPUT): Promise<unknown>;
        batchTrigger(inputs: (typeof INPUT)[]): Promise<unknown>;
      }
    >
  >;
  on(type: 'run:complete', listener: () => void): unknown;
  start(): void;
  stop(): Promise<void>;
}

/** An instance as an engine. */
export function engineOver(
  instance: Instance,
  options: {
    readonly counter: StatementCounter;
    readonly query: (sql: string) => Promise<{ readonly rows: readonly unknown[] }>;
    readonly close: () => Promise<void>;
  },
): Engine {
  const { counter, query, close } = options;
  const engine: Engine = {
    trigger: (job) => instance.jobs[job].trigger(INPUT),
    triggerMany: (job, count) => instance.jobs[job].batchTrigger(Array.from({ length: count }, () => INPUT)),
    onCompleted: () => undefined,
    start: async () => instance.start(),
    stop: () => instance.stop(),
    statements: () => counter.count,
    pragma: async (pragma) => {
      const { rows } = await query(`pragma ${pragma}`);
      return String(Object.values(rows[0] ?? {})[0]);
    },
    close,
  };
  instance.on('run:complete', () => engine.onCompleted());
  return engine;
}
