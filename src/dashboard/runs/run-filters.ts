import type { RunStatus } from '../../client.ts';
import { STATUSES } from '../parts/status.tsx';

/** What the list of runs is narrowed to, as it stands in the address. */
export interface RunFilters {
  readonly jobName: readonly string[];
  readonly status: readonly RunStatus[];
  /** Such as `org=7`. */
  readonly label: readonly string[];
  readonly q: string;
  /** One of {@link SPANS}, or empty. */
  readonly since: string;
  readonly scheduleId: string;
  readonly parentRunId: string;
}

export const SPANS: readonly { readonly name: string; readonly text: string; readonly ms: number }[] = [
  { name: '15m', text: 'last 15 minutes', ms: 900_000 },
  { name: '1h', text: 'last hour', ms: 3_600_000 },
  { name: '1d', text: 'last day', ms: 86_400_000 },
  { name: '7d', text: 'last 7 days', ms: 604_800_000 },
];

export function readFilters(params: URLSearchParams): RunFilters {
  const given = params.getAll('status');
  return {
    jobName: params.getAll('job'),
    status: STATUSES.filter((status) => given.includes(status)),
    label: params.getAll('label').filter((label) => label.includes('=')),
    q: params.get('q') ?? '',
    since: params.get('since') ?? '',
    scheduleId: params.get('schedule') ?? '',
    parentRunId: params.get('parent') ?? '',
  };
}

/** The filter of the operations for these filters. Undefined members say nothing. */
export function toQuery(filters: RunFilters, nowMs: number) {
  const span = SPANS.find(({ name }) => name === filters.since);
  return {
    jobName: filters.jobName.length > 0 ? filters.jobName : undefined,
    status: filters.status.length > 0 ? filters.status : undefined,
    labels: filters.label.length > 0 ? labelsOf(filters) : undefined,
    q: filters.q === '' ? undefined : filters.q,
    createdAfter: span && new Date(nowMs - span.ms).toISOString(),
    scheduleId: filters.scheduleId === '' ? undefined : filters.scheduleId,
    parentRunId: filters.parentRunId === '' ? undefined : filters.parentRunId,
  };
}

function labelsOf({ label }: RunFilters): Record<string, string> {
  return Object.fromEntries(label.map((text) => text.split(/=(.*)/s).slice(0, 2) as [string, string]));
}

export const isFiltered = (filters: RunFilters): boolean =>
  Object.values(filters).some((value) => value.length > 0);
