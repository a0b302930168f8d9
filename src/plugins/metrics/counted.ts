import type { Metric, Registry } from 'prom-client';
import type { CountedBuckets } from '../../core/stats/bucket-counts.ts';
import type { DatabaseVitals } from '../../core/stats/vitals.ts';

type Value = { labels: Record<string, string | number>; value: number; metricName?: string };

/**
 * Shows numbers that the instance has counted itself. prom-client's own histograms count by themselves, so these answer the
 * registry in their place.
 *
 * @param ask brings what is read up to date
 */
export function registerCounted(
  registry: Registry,
  read: () => DatabaseVitals | undefined,
  ask: () => Promise<void>,
): void {
  const register = (
    about: { name: string; help: string; type: 'histogram' | 'counter' },
    values: () => Value[],
  ) => {
    const metric = {
      ...about,
      aggregator: 'sum',
      get: async () => {
        await ask();
        return { ...about, values: values() };
      },
      reset() {},
    };
    registry.registerMetric(metric as unknown as Metric);
  };
  const kinds = () => {
    const database = read();
    return database === undefined
      ? []
      : ([
          ['read', database.reads],
          ['write', database.writes],
        ] as const);
  };
  const seconds = 'durably_database_request_seconds';
  register({ name: seconds, help: 'How long the database took to answer', type: 'histogram' }, () =>
    kinds().flatMap(([kind, counts]) => toValues(seconds, counts.seconds, { kind })),
  );
  const size = 'durably_write_group_size';
  register({ name: size, help: 'How many writes left together', type: 'histogram' }, () =>
    toValues(size, read()?.groups, {}),
  );
  register(
    {
      name: 'durably_database_failures_total',
      help: 'Requests to the database that failed',
      type: 'counter',
    },
    () => kinds().map(([kind, { failed }]) => ({ labels: { kind }, value: failed })),
  );
  register(
    {
      name: 'durably_database_renewals_total',
      help: 'How often the connection was renewed, after SQLITE_BUSY for example',
      type: 'counter',
    },
    () => [{ labels: {}, value: read()?.renewals ?? 0 }],
  );
}

function toValues(name: string, counted: CountedBuckets | undefined, labels: Value['labels']): Value[] {
  if (counted === undefined) return [];
  const { buckets, sum, count } = counted;
  const bucket = (le: number | string, value: number): Value => ({
    metricName: `${name}_bucket`,
    labels: { le, ...labels },
    value,
  });
  return [
    ...buckets.map(({ le, count: upTo }) => bucket(le, upTo)),
    bucket('+Inf', count),
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
