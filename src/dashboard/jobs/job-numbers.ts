import type { Stats } from '../../client.ts';
import { client } from '../service/connection.ts';
import { usePolled } from '../service/poll.ts';
import { route } from '../shell/router.ts';

/** The times for which numbers are shown. */
export const SPANS = {
  hour: { title: 'Last hour', since: '59m', bucket: '1m', count: 60, unit: '/min' },
  day: { title: 'Last day', since: '23h', bucket: '1h', count: 24, unit: '/h' },
} as const;
export type SpanName = keyof typeof SPANS;

const STATS_EVERY_MS = 10_000;

export const spanName = (): SpanName => (route.value.params.get('span') === 'day' ? 'day' : 'hour');

/** The numbers of all jobs in the span that the address names. Undefined where they can't be had. */
export function useStats(jobName?: string): Stats | undefined {
  const span = spanName();
  const { since, bucket } = SPANS[span];
  const { state } = usePolled(
    () => client.peek().getStats({ since, bucket, ...(jobName !== undefined && { jobName }) }),
    {
      everyMs: STATS_EVERY_MS,
      deps: [span, jobName],
    },
  );
  return state.value.value;
}

type Numbers = Stats['total'];

/** The part of ended runs that failed, such as `4 %`. */
export function failureRate({ completed, failed }: Numbers): string {
  const ended = completed + failed;
  if (ended === 0) return '–';
  const percent = (failed / ended) * 100;
  return `${percent > 0 && percent < 1 ? '<1' : Math.round(percent)} %`;
}

/** How many runs ended, and how many of them in a minute or an hour, such as `44 (0.7/min)`. */
export function throughput({ completed, failed, cancelled }: Numbers, span: SpanName): string {
  const { count, unit } = SPANS[span];
  const ended = completed + failed + cancelled;
  const each = ended / count;
  if (each < 0.1) return String(ended);
  return `${ended.toLocaleString()} (${each < 10 ? each.toFixed(1) : Math.round(each)}${unit})`;
}
