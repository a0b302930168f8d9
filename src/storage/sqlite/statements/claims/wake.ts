import { decodeJson } from '../../../../core/json/json.ts';
import type { LostRun, Woken } from '../../../../core/ownership/claim.ts';
import type { DueSchedule } from '../../../../core/schedules/schedule.ts';
import type { DueLook } from '../../../../core/store.ts';
import type { Rows, Sql, WriteKind } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import { PLACES } from '../places.ts';
import { dueSchedulesSql } from '../schedules/due-schedules.ts';
import { type DueScheduleRow, toDueSchedule } from '../schedules/schedule-rows.ts';
import { MAX_WOKEN, WAKE } from './due-sql.ts';

export function wakeStatement(staleThresholdMs: number): Sql {
  return { sql: WAKE, parameters: [staleThresholdMs] };
}

/** @param rows what {@link wakeStatement} returned */
export function toWoken(rows: Rows): Woken {
  const lost = rows.flatMap(({ failed }) => (failed == null ? [] : [decodeJson(String(failed)) as LostRun]));
  return { pending: rows.length - lost.length, lost, moreDue: rows.length >= MAX_WOKEN };
}

type Found = Woken & { readonly schedules?: readonly DueSchedule[] | undefined };

/** What is due is due for all members, so they share one statement. Each reads the schedules of its own jobs. */
const wakes: WriteKind<DueLook, Found> = {
  name: 'wake',
  place: PLACES.wake,
  sizeOf: () => ({ rows: 0, chars: 0 }),
  compile: (members) => {
    const looks = members.map(({ schedules }) => (schedules ? [dueSchedulesSql(schedules)] : []));
    return {
      statements: [wakeStatement(Math.max(...members.map((each) => each.staleThresholdMs))), ...looks.flat()],
      decode: ([rows = [], ...found]) => {
        const woken = toWoken(rows);
        return looks.map((own, i) => {
          const read = own.length === 0 ? undefined : (found.shift() as unknown as DueScheduleRow[]);
          // The events of the runs that failed are told once.
          return {
            ...woken,
            lost: i === 0 ? woken.lost : [],
            ...(read && { schedules: read.map(toDueSchedule) }),
          };
        });
      },
    };
  },
};

/** Makes due waiting runs pending and fails runs whose time is up, without claiming any. */
export async function wakeDue(connection: Connection, about: DueLook): Promise<Found> {
  return await connection.lane.submit(wakes, about, connection.callerDeadline());
}
