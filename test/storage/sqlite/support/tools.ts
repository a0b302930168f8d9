import { Kysely, sql } from 'kysely';
import type { Schema } from '../../../../src/storage/sqlite/schema.ts';
import type { DatabaseTools, OpenedDatabase } from '../../../support/backend.ts';

/** Works on a connection that bypasses durably. */
export function createTools({ dialect }: OpenedDatabase): DatabaseTools {
  const db = new Kysely<Schema>({ dialect });
  return {
    async ageHeartbeat(runId, byMs) {
      await db
        .updateTable('durably_runs')
        .set((eb) => ({ heartbeat_at: eb('heartbeat_at', '-', byMs) }))
        .where('id', '=', runId)
        .execute();
    },
    async ageDue(runId, byMs) {
      await db
        .updateTable('durably_steps')
        .set((eb) => ({ due_at: eb('due_at', '-', byMs) }))
        .where('run_id', '=', runId)
        .execute();
      // Last: a worker may go on with the run from here on.
      await db
        .updateTable('durably_runs')
        .set((eb) => ({ due_at: eb('due_at', '-', byMs) }))
        .where('id', '=', runId)
        .execute();
    },
    async ageDeadline(runId, byMs) {
      await db
        .updateTable('durably_runs')
        .set((eb) => ({ deadline_at: eb('deadline_at', '-', byMs) }))
        .where('id', '=', runId)
        .execute();
    },
    async ageThrottles(byMs) {
      await sql`update durably_rates set full_at = full_at - ${byMs}`.execute(db);
      await sql`update durably_lines set opens_at = opens_at - ${byMs}`.execute(db);
    },
    async ageIdempotencyKeys(byMs) {
      await sql`update durably_runs set idempotency_until = idempotency_until - ${byMs}`.execute(db);
    },
    async ageCreation(runId, byMs) {
      await db
        .updateTable('durably_runs')
        .set((eb) => ({ created_at: eb('created_at', '-', byMs) }))
        .where('id', '=', runId)
        .execute();
    },
    async ageStart(runId, byMs) {
      await db
        .updateTable('durably_runs')
        .set((eb) => ({ started_at: eb('started_at', '-', byMs) }))
        .where('id', '=', runId)
        .execute();
    },
    async ageEvents(runId, byMs) {
      await db
        .updateTable('durably_journal')
        .set((eb) => ({ created_at: eb('created_at', '-', byMs) }))
        .where('run_id', '=', runId)
        .execute();
    },
    async ageWorker(instance, byMs) {
      await sql`
        update durably_workers set seen_at = seen_at - ${byMs}, started_at = started_at - ${byMs} where id = ${instance}
      `.execute(db);
    },
    async ageEnd(runId, byMs) {
      await db
        .updateTable('durably_runs')
        .set((eb) => ({ completed_at: eb('completed_at', '-', byMs) }))
        .where('id', '=', runId)
        .execute();
    },
    async ageSchedules(byMs, id) {
      let aged = db.updateTable('durably_schedules').set((eb) => ({
        next_at: eb('next_at', '-', byMs),
        anchor_at: eb('anchor_at', '-', byMs),
      }));
      if (id !== undefined) aged = aged.where('id', '=', id);
      await aged.execute();
    },
    async ageDeletions(byMs) {
      await db
        .updateTable('durably_journal')
        .set((eb) => ({ created_at: eb('created_at', '-', byMs) }))
        .where('type', '=', 'run:delete')
        .execute();
    },
    async refuseRuns(payload) {
      await sql`
        create trigger refuse_runs before insert on durably_runs when new.payload = ${sql.lit(payload)}
        begin select raise(abort, 'refused'); end
      `.execute(db);
      return async () => void (await sql`drop trigger refuse_runs`.execute(db));
    },
    async refuseEvents(type) {
      await sql`
        create trigger refuse_events before insert on durably_journal when new.type = ${sql.lit(type)}
        begin select raise(abort, 'refused'); end
      `.execute(db);
    },
    async lock() {
      const transaction = await db.startTransaction().execute();
      await sql`create table if not exists contender (n integer)`.execute(transaction);
      return async () => void (await transaction.rollback().execute());
    },
  };
}
