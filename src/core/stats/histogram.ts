import type { DurationQuantiles } from './stats.ts';

/**
 * How many values are in each bin. A bin is the first two digits of its values, and a hundred for each digit after them: 1234 is
 * in the bin 212, which holds 1200 to 1299. So the middle of a bin is within 5 % of each of its values, and values below 100 are
 * exact. Histograms of different times can be added up.
 */
export type Histogram = Map<number, number>;

/** Adds the counts of one histogram to another. */
export function addTo(sum: Histogram, added: Iterable<readonly [bin: number, count: number]>): void {
  for (const [bin, count] of added) sum.set(bin, (sum.get(bin) ?? 0) + count);
}

/** Null without values. */
export function quantilesOf(histogram: Histogram): DurationQuantiles | null {
  const bins = [...histogram].sort(([one], [other]) => one - other);
  let all = 0;
  for (const [, count] of bins) all += count;
  if (all === 0) return null;
  const at = (share: number) => {
    let left = Math.ceil(share * all);
    for (const [bin, count] of bins) {
      left -= count;
      if (left <= 0) return middleOf(bin);
    }
    return middleOf(bins.at(-1)?.[0] ?? 0);
  };
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

/** The middle of the whole numbers that are in a bin. */
function middleOf(bin: number): number {
  const width = 10 ** Math.floor(bin / 100);
  return Math.round((bin % 100) * width + (width - 1) / 2);
}
