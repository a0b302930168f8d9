import type { RunStatus } from '../../client.ts';

/** Each status has a shape of its own, so that colour is never all that tells them apart. */
const SHAPES: Readonly<Record<RunStatus, string>> = {
  pending: 'M8 2.75a5.25 5.25 0 1 1 0 10.5a5.25 5.25 0 1 1 0-10.5M8 5',
  waiting: 'M4 2.75h8M4 13.25h8M5 2.75v2.5l3 2.75l3-2.75v-2.5M5 13.25v-2.5l3-2.75l3 2.75v2.5',
  running: 'M4.5 2.75l8 5.25l-8 5.25z',
  completed: 'M2.75 8.5l3.5 3.5l7-8',
  failed: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  cancelled: 'M8 2.75a5.25 5.25 0 1 1 0 10.5a5.25 5.25 0 1 1 0-10.5M4.3 11.7l7.4-7.4',
};

export function StatusShape({ status }: { readonly status: RunStatus }) {
  return (
    <svg class={`shape is-${status}`} viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      <path
        d={SHAPES[status]}
        fill={status === 'running' ? 'currentColor' : 'none'}
        stroke="currentColor"
        stroke-width={status === 'completed' || status === 'failed' ? 2.5 : 1.75}
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}

/** A status as colour, shape and word. */
export function Status({ status }: { readonly status: RunStatus }) {
  return (
    <span class={`status is-${status}`}>
      <StatusShape status={status} />
      {status}
    </span>
  );
}

export const STATUSES: readonly RunStatus[] = [
  'pending',
  'waiting',
  'running',
  'completed',
  'failed',
  'cancelled',
];
