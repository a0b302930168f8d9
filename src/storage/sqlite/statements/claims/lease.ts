import type { Lease, NamedRun } from '../../../../core/ownership/lease.ts';
import type { WriteKind } from '../../../writes.ts';
import { NOW_MS } from '../../sql.ts';
import { PLACES } from '../places.ts';
import { isFrom, statusAfter } from '../transitions.ts';

// The + makes SQLite look up each lease's run. Without it SQLite walks through all running runs.
const HELD = `r.id = l.value->>'runId' and r.fence = l.value->>'fence' and ${isFrom('handBack', '+r')}`;

const RENEW = `
update durably_runs as r set heartbeat_at = ${NOW_MS}
from json_each(?) l
where ${HELD}
returning id, fence`;

const HAND_BACK = `
update durably_runs as r set status = ${statusAfter('handBack')}, claim_kind = 'resume', heartbeat_at = null, updated_at = ${NOW_MS}
from json_each(?) l
where ${HELD}
returning id, fence, attempt, job_name`;

/** Renews leases and returns those that are still held. */
export const renewals: WriteKind<readonly Lease[], Lease[]> = {
  name: 'renew',
  place: PLACES.renew,
  sizeOf: (leases) => ({ rows: leases.length, chars: 0 }),
  compile: (members) => ({
    statements: [{ sql: RENEW, parameters: [encode(members.flat())] }],
    decode: ([rows = []]) => {
      const held = new Set(rows.map(({ id, fence }) => identify(String(id), Number(fence))));
      return members.map((leases) =>
        leases
          .filter(({ runId, fence }) => held.has(identify(runId, fence)))
          .map(({ runId, fence }) => ({ runId, fence })),
      );
    },
  }),
};

/**
 * Returns runs to pending without an event, and skips leases that are no longer held. If a hand-back
 * is sent again, the answer may lack runs that it has returned before.
 */
export const handBacks: WriteKind<readonly Lease[], NamedRun[]> = {
  name: 'hand-back',
  place: PLACES.handBack,
  sizeOf: (leases) => ({ rows: leases.length, chars: 0 }),
  compile: (members) => ({
    statements: [{ sql: HAND_BACK, parameters: [encode(members.flat())] }],
    decode: ([rows = []]) => {
      const back = new Map(rows.map((row) => [identify(String(row.id), Number(row.fence)), row]));
      return members.map((leases) =>
        leases.flatMap(({ runId, fence }) => {
          const row = back.get(identify(runId, fence));
          if (row === undefined) return [];
          return [{ runId, attempt: Number(row.attempt), jobName: String(row.job_name) }];
        }),
      );
    },
  }),
};

function identify(runId: string, fence: number): string {
  return `${runId} ${fence}`;
}

function encode(leases: readonly Lease[]): string {
  return JSON.stringify(leases.map(({ runId, fence }) => ({ runId, fence })));
}
