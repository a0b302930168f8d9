import type { Sample } from '../bench.ts';
import type { Figure } from '../targets.ts';

export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly rounds: number;
}

export function summarize(values: readonly number[]): Summary | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const [least, most] = [sorted.at(0), sorted.at(-1)];
  if (least === undefined || most === undefined) return undefined;
  const middle = (sorted.length - 1) / 2;
  const [below = Number.NaN, above = Number.NaN] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
  return { median: (below + above) / 2, least, most, rounds: sorted.length };
}

/** The values of a figure, by round. */
export function roundsOf(
  samples: readonly Sample[],
  { workload, contender, metric }: Figure & { workload: string },
): Map<number, number> {
  return new Map(
    samples
      .filter((s) => s.workload === workload && s.contender === contender && s.metric === metric)
      .map(({ round, value }) => [round, value]),
  );
}

/** Divides the values of two figures round by round. Whatever slows a round affects both. */
export function ratiosOf(
  samples: readonly Sample[],
  { workload, figure, over }: { workload: string; figure: Figure; over: Figure },
): number[] {
  const divisors = roundsOf(samples, { workload, ...over });
  return [...roundsOf(samples, { workload, ...figure })].flatMap(([round, value]) => {
    const divisor = divisors.get(round);
    return divisor === undefined ? [] : [value / divisor];
  });
}
