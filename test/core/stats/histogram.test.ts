import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addTo, type Histogram, quantilesOf } from '../../../src/core/stats/histogram.ts';
import { VERSION } from '../../../src/core/version.ts';

/** As the schema computes it. */
function binOf(ms: number): number {
  const digits = String(ms);
  return ms < 100 ? ms : (digits.length - 2) * 100 + Number(digits.slice(0, 2));
}

function histogramOf(values: readonly number[]): Histogram {
  const histogram: Histogram = new Map();
  for (const value of values) addTo(histogram, [[binOf(value), 1]]);
  return histogram;
}

describe('the quantiles of a histogram', () => {
  it('are null without values', () => {
    expect(quantilesOf(new Map())).toBeNull();
  });

  it('are exact below 100', () => {
    const values = Array.from({ length: 100 }, (_, i) => i);
    expect(quantilesOf(histogramOf(values))).toEqual({ p50: 49, p95: 94, p99: 98 });
    expect(quantilesOf(histogramOf([7]))).toEqual({ p50: 7, p95: 7, p99: 7 });
  });

  it('are within 5 % of those of the values', () => {
    const durations = fc.array(fc.integer({ min: 0, max: 10 ** 10 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(durations, (values) => {
        const sorted = [...values].sort((one, other) => one - other);
        const found = quantilesOf(histogramOf(values));
        for (const [name, share] of [
          ['p50', 0.5],
          ['p95', 0.95],
          ['p99', 0.99],
        ] as const) {
          const exact = sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
          expect(Math.abs((found?.[name] ?? Number.NaN) - exact)).toBeLessThanOrEqual(0.05 * exact);
        }
      }),
    );
  });

  it('are those of all values if histograms are added up', () => {
    const [one, other] = [
      [3, 250, 9_000],
      [40, 251, 70_000],
    ];
    const sum = histogramOf(one ?? []);
    addTo(sum, histogramOf(other ?? []));
    expect(quantilesOf(sum)).toEqual(quantilesOf(histogramOf([...(one ?? []), ...(other ?? [])])));
  });
});

it('the version is that of the package', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  expect(VERSION).toBe(version);
});
