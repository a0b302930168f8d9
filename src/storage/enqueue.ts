import type { Enqueued, NewRun } from '../core/store.ts';
import type { Connection } from './connection.ts';
import { Lane, type LaneMember } from './lane.ts';
import { RUN_COLUMNS, type RunRow, toRun } from './rows.ts';

/**
 * A key that has a run already, or comes twice in one statement, gives that
 * run back, and no journal row is written. An id that is there already is this
 * very run, sent again because the answer was lost.
 */
const ENQUEUE = `
insert into durably_runs (id, job_name, payload, idempotency_key, concurrency_key, labels)
select value->>'id', value->>'jobName', value->>'payload', value->>'idempotencyKey', value->>'concurrencyKey',
  value->>'labels'
from json_each(?)
where true
order by key
on conflict (id) do update set id = excluded.id
on conflict (job_name, idempotency_key) where idempotency_key is not null
  do update set idempotency_key = excluded.idempotency_key
returning ${RUN_COLUMNS.join(', ')}`;

interface EnqueueMember extends LaneMember {
  readonly runs: readonly NewRun[];
}

/** Stores runs, those of concurrent callers in one statement. */
export class EnqueueLane {
  readonly #lane: Lane<EnqueueMember, Enqueued[]>;

  constructor(connection: Connection) {
    this.#lane = new Lane({
      send: (members) => enqueue(connection, members),
      isMembersFault: connection.isStatementFault,
      maxUnderWay: () => connection.maxUnderWay,
    });
  }

  async submit(runs: readonly NewRun[]): Promise<Enqueued[]> {
    if (runs.length === 0) return [];
    const chars = runs.reduce((sum, run) => sum + run.payload.length + (run.labels?.length ?? 0), 0);
    return await this.#lane.submit({ runs, rows: runs.length, chars });
  }
}

async function enqueue(connection: Connection, members: readonly EnqueueMember[]): Promise<Enqueued[][]> {
  const all = members.flatMap((member) => member.runs);
  const rows = await connection.execute<RunRow>({ sql: ENQUEUE, parameters: [JSON.stringify(all)] });
  const byId = new Map<string, RunRow>();
  const byKey = new Map<string, RunRow>();
  for (const row of rows) {
    byId.set(row.id, row);
    if (row.idempotency_key !== null) byKey.set(keyOf(row.job_name, row.idempotency_key), row);
  }
  const resultOf = (run: NewRun): Enqueued => {
    const own = byId.get(run.id);
    const row = own ?? byKey.get(keyOf(run.jobName, run.idempotencyKey ?? ''));
    if (!row) throw new Error(`run ${run.id} was not stored`);
    return { run: toRun(row), created: own !== undefined };
  };
  return members.map((member) => member.runs.map(resultOf));
}

function keyOf(jobName: string, idempotencyKey: string): string {
  return `${jobName}\0${idempotencyKey}`;
}
