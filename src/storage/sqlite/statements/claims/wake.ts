import { decodeJson } from '../../../../core/json/json.ts';
import type { ClaimRequest, LostRun, Woken } from '../../../../core/ownership/claim.ts';
import type { Rows, Sql, WriteKind } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import { PLACES } from '../places.ts';
import { MAX_WOKEN, WAKE } from './due-sql.ts';

export function wakeStatement(staleThresholdMs: number): Sql {
  return { sql: WAKE, parameters: [staleThresholdMs] };
}

/** @param rows what {@link wakeStatement} returned */
export function toWoken(rows: Rows): Woken {
  const lost = rows.flatMap(({ failed }) => (failed == null ? [] : [decodeJson(String(failed)) as LostRun]));
  return { pending: rows.length - lost.length, lost, moreDue: rows.length >= MAX_WOKEN };
}

type About = Pick<ClaimRequest, 'staleThresholdMs'>;

/** What is due is due for all members, so they share one statement. */
const wakes: WriteKind<About, Woken> = {
  name: 'wake',
  place: PLACES.wake,
  sizeOf: () => ({ rows: 0, chars: 0 }),
  compile: (members) => ({
    statements: [wakeStatement(Math.max(...members.map((each) => each.staleThresholdMs)))],
    decode: ([rows = []]) => {
      const woken = toWoken(rows);
      // The events of the runs that failed are told once.
      return members.map((_, i) => (i === 0 ? woken : { ...woken, lost: [] }));
    },
  }),
};

/** Makes due waiting runs pending and fails runs whose time is up, without claiming any. */
export async function wakeDue(connection: Connection, about: About): Promise<Woken> {
  return await connection.lane.submit(wakes, about, connection.callerDeadline());
}
