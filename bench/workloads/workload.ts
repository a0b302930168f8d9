import type { Bench, Scales } from '../bench.ts';
import type { Contender } from '../contenders/contender.ts';
import type { ContenderName } from '../contenders/index.ts';
import type { Figures } from '../protocol.ts';

export interface Metric {
  readonly id: string;
  readonly title: string;
  /** Figures per second are the better the higher, all others the lower. */
  readonly unit: 'per second' | 'MB per second' | 'ms' | 'statements' | 'KB' | 'MB' | 'requests' | 'share';
}

export interface Workload {
  /** What `--only` selects. */
  readonly id: string;
  readonly title: string;
  /** What is done and how it is measured, for whoever reads the results. */
  readonly method: string;
  readonly metrics: readonly Metric[];
  run(bench: Bench): Promise<void>;
  /** A round in a contender's own process, for the workloads that need no other. */
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

/** A workload whose rounds each happen in one process, the contender's. */
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
    // What arrives is what `run` sent: it crossed to another process of ours as JSON.
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
