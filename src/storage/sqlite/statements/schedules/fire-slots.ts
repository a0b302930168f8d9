import { decodeJson } from '../../../../core/json/json.ts';
import type { Fired, Firing } from '../../../../core/schedules/schedule-store.ts';
import type { Rows, Sql, WriteKind } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import { NOW_MS } from '../../sql.ts';
import { toCancelledRun } from '../commands.ts';
import { PLACES } from '../places.ts';
import { isFrom, statusAfter } from '../transitions.ts';
import { DUE_SCHEDULE, type DueScheduleRow, toDueSchedule } from './schedule-rows.ts';

/** How {@link toValue} orders a firing. */
const [ID, REVISION, SLOT, VALID_FROM, NEXT, VALID_UNTIL, RUNS] = [0, 1, 2, 3, 4, 5, 6];

/**
 * SQL: the firing `f` is that of the schedule `s` as it is now, and its slots have come by the database's clock. Of
 * two processes with the same firing the second finds that the schedule has moved on.
 */
const IS_CURRENT = `s.revision = f.value->>${REVISION} and s.next_at = f.value->>${SLOT} and s.paused_at is null
  and f.value->>${VALID_FROM} <= ${NOW_MS} and (f.value->>${VALID_UNTIL} is null or ${NOW_MS} <= f.value->>${VALID_UNTIL})`;

/** Makes the runs of slots that have come, and moves their schedules on. ?1 the firings. */
const FIRE = `
insert into durably_firings (schedule_id, next_at, runs)
select s.id, f.value->>${NEXT}, f.value->>${RUNS}
from json_each(?1) f cross join durably_schedules s
where s.id = f.value->>${ID} and ${IS_CURRENT}
order by f.key`;

/**
 * Cancels the active runs of these schedules, and the runs below them, before the slots get theirs. If the process ends in
 * between, the slots are still due, and whoever fires them finds no active run. ?1 the firings.
 */
const CANCEL_EARLIER = `
with recursive tree(id) as (
  select o.id from json_each(?1) f cross join durably_schedules s
    cross join durably_runs o indexed by durably_runs_by_schedule
  where s.id = f.value->>${ID} and ${IS_CURRENT} and s.overlap = 'cancel' and json_array_length(f.value->${RUNS}) > 0
    and o.schedule_id = s.id and ${isFrom('cancel', 'o')}
  union
  select c.id from tree t cross join durably_runs c indexed by durably_runs_by_parent
  where c.parent_run_id = t.id
)
update durably_runs set status = ${statusAfter('cancel')}, last_command = 'cancel', completed_at = ${NOW_MS}, updated_at = ${NOW_MS}
where id in (select id from tree) and ${isFrom('cancel', '+durably_runs')}
returning id, job_name`;

/** The schedules after their firings, and which runs were made. A run id belongs to one firing. ?1 the firings. */
const STATE = `
select ${DUE_SCHEDULE}, (
  select json_group_array(r.id) from json_each(f.value->${RUNS}) e cross join durably_runs r where r.id = e.value->>0
) as made
from json_each(?1) f cross join durably_schedules s
where s.id = f.value->>${ID}
order by f.key`;

/** Sent again, a firing does nothing if it was stored before. */
const firings: WriteKind<readonly Firing[], Fired> = {
  name: 'firing',
  place: PLACES.enqueue,
  sizeOf: (members) => ({ rows: members.reduce((sum, { runs }) => sum + runs.length + 1, 0), chars: 0 }),
  compile: (members) => {
    const statements = members.map((each): Sql[] => {
      const parameters = [JSON.stringify(each.map(toValue))];
      const cancels = each.some(({ cancelsEarlier }) => cancelsEarlier);
      return [
        ...(cancels ? [{ sql: CANCEL_EARLIER, parameters }] : []),
        { sql: FIRE, parameters },
        { kind: 'read', sql: STATE, parameters },
      ];
    });
    return {
      statements: statements.flat(),
      decode: (answers) => {
        let end = 0;
        return statements.map(({ length }) => {
          const own = answers.slice(end, end + length);
          end += length;
          return toFired(own);
        });
      },
    };
  },
};

function toValue({ scheduleId, revision, slotMs, validFromMs, nextAtMs, validUntilMs, runs }: Firing) {
  const made = runs.map(({ runId, scheduledForMs }) => [runId, scheduledForMs]);
  return [scheduleId, revision, slotMs, validFromMs, nextAtMs, validUntilMs, made];
}

type StateRow = DueScheduleRow & { readonly made: string };

function toFired(answers: readonly Rows[]): Fired {
  const state = (answers.at(-1) ?? []) as unknown as readonly StateRow[];
  const cancelled = answers.length > 2 ? (answers[0] ?? []) : [];
  return {
    schedules: state.map(toDueSchedule),
    runIds: new Set(state.flatMap(({ made }) => decodeJson(made) as string[])),
    cancelled: cancelled.map(toCancelledRun),
  };
}

export async function fireSlots(connection: Connection, given: readonly Firing[]): Promise<Fired> {
  return await connection.lane.submit(firings, given, connection.callerDeadline());
}
