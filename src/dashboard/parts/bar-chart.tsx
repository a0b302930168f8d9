import type { Stats } from '../../client.ts';

const SIZES = { '1m': 60_000, '1h': 3_600_000, '1d': 86_400_000 } as const;

export interface BarChartProps {
  readonly buckets: Stats['buckets'];
  readonly bucket: Stats['bucket'];
  readonly count: number;
  /** The time of the last bucket; ms. */
  readonly endMs: number;
  readonly height?: number;
}

/** How many runs completed and failed, by time. */
export function BarChart({ buckets, bucket, count, endMs, height = 24 }: BarChartProps) {
  const sizeMs = SIZES[bucket];
  const lastMs = Math.floor(endMs / sizeMs) * sizeMs;
  const placed = buckets.map((one) => ({
    ...one,
    at: count - 1 - Math.round((lastMs - Date.parse(one.at)) / sizeMs),
  }));
  const most = Math.max(1, ...placed.map(({ completed, failed }) => completed + failed));
  const sum = (key: 'completed' | 'failed') => buckets.reduce((total, one) => total + one[key], 0);
  const unit = height / most;
  return (
    <svg
      class="chart"
      role="img"
      aria-label={`${sum('completed')} completed, ${sum('failed')} failed`}
      viewBox={`0 0 ${count * 4} ${height}`}
      preserveAspectRatio="none"
      height={height}
    >
      <path class="chart-line" d={`M0 ${height - 0.5}H${count * 4}`} />
      {placed.map(({ at, completed, failed }) =>
        at < 0 || at >= count ? null : (
          <g key={at}>
            <rect
              class="chart-completed"
              x={at * 4}
              width={3}
              y={height - completed * unit}
              height={completed * unit}
            />
            <rect
              class="chart-failed"
              x={at * 4}
              width={3}
              y={height - (completed + failed) * unit}
              height={failed * unit}
            />
          </g>
        ),
      )}
    </svg>
  );
}
