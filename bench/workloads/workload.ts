import type { Bench, Scales } from '../bench.ts';
import type { Contender } from '../contenders/contender.ts';
import type { ContenderName } from '../contenders/index.ts';
import type { Figures } from '../protocol.ts';

export interface Metric {
  readonly id: string;
  readonly title: string;
  /** Higher is better for figures per second, lower is better for all others. */
  readonly unit: 'per second' | 'MB per second' | 'ms' | 'statements' | 'KB' | 'MB' | 'requests' | 'share';
}

export interface Workload {
  /** The name for `--only`. */
  readonly id: string;
  readonly title: string;
  /** What the workload does and how it measures, for readers of the results. */
  readonly method: string;
  readonly metrics: readonly Metric[];
  run(bench: Bench): Promise<void>;
  /** One round in a contender's own process, for workloads that need only that process. */
  readonly measure?: (
    contender: Contender,
    scale: Readonly<Record<string, unknown>>,
    folder: string,
  ) => Promise<Figures>;
}

interface InContender<S extends Readonly<Record<string, unknown>>> {
  readonly id: string;
  readonly title: string;
  readonly method: string;
  readonly metrics: readonly Metric[];
  readonly contenders: readonly ContenderName[];
  readonly rounds: Scales<number>;
  readonly scale: Scales<S>;
  readonly measure: (contender: Contender, scale: S, folder: string) => Promise<Figures>;
}

/** Makes a workload whose rounds each run in one process, the contender's. */
export function inContender<S extends Readonly<Record<string, unknown>>>({
  id,
  title,
  method,
  metrics,
  contenders,
  rounds,
  scale: scales,
  measure,
}: InContender<S>): Workload {
  return {
    id,
    title,
    method,
    metrics,
    // The scale comes from `run` and only crossed a process boundary as JSON.
    measure: (contender, scale, folder) => measure(contender, scale as S, folder),
    run: async (bench) => {
      const scale = bench.pick(scales);
      await bench.interleave({
        workload: id,
        contenders,
        rounds: bench.pick(rounds),
        round: (child, contender) =>
          child.call('measure', { workload: id, contender, scale, folder: bench.folder }),
      });
    },
  };
}
