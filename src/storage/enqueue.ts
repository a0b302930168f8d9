import type { Enqueued, NewRun } from '../core/store.ts';
import type { Connection } from './connection.ts';
import { Lane, type LaneMember } from './lane.ts';
import { RUN_COLUMNS, type RunRow, toRun } from './rows.ts';

/**
 * A key that has a run already, or comes twice in one statement, gives that
 * run back, and no journal row is written. An id that is there already is this
 * very run, sent again because the answer was lost.
 *
 * Each column that is returned costs as much as storing two. Of a run that is
 * as it was sent nothing is told but its time; `found` is the row of one that
 * may not be: its key had it already, or it has been under way since.
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
returning id, created_at,
  case when idempotency_key is not null or status <> 'pending' or attempt > 0 or updated_at <> created_at
    then json_object(${RUN_COLUMNS.map((column) => `'${column}', ${column}`).join(', ')}) end as found`;

interface EnqueuedRow {
  readonly id: string;
  readonly created_at: number;
  /** JSON text of a {@link RunRow}. */
  readonly found: string | null;
}

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
  const rows = await connection.execute<EnqueuedRow>({ sql: ENQUEUE, parameters: [JSON.stringify(all)] });
  const asSent = new Map<string, number>();
  const byId = new Map<string, RunRow>();
  const byKey = new Map<string, RunRow>();
  for (const { id, created_at, found } of rows) {
    if (found === null) {
      asSent.set(id, created_at);
      continue;
    }
    const row: RunRow = JSON.parse(found);
    byId.set(id, row);
    if (row.idempotency_key !== null) byKey.set(keyOf(row.job_name, row.idempotency_key), row);
  }
  const resultOf = (run: NewRun): Enqueued => {
    const createdAt = asSent.get(run.id);
    if (createdAt !== undefined) return { run: toRun(rowAsSent(run, createdAt)), created: true };
    const own = byId.get(run.id);
    const row = own ?? byKey.get(keyOf(run.jobName, run.idempotencyKey ?? ''));
    if (!row) throw new Error(`run ${run.id} was not stored`);
    return { run: toRun(row), created: own !== undefined };
  };
  return members.map((member) => member.runs.map(resultOf));
}

function rowAsSent(run: NewRun, createdAt: number): RunRow {
  return {
    id: run.id,
    job_name: run.jobName,
    status: 'pending',
    attempt: 0,
    step_count: 0,
    heartbeat_at: null,
    created_at: createdAt,
    started_at: null,
    completed_at: null,
    updated_at: createdAt,
    idempotency_key: run.idempotencyKey,
    concurrency_key: run.concurrencyKey,
    progress: null,
    error: null,
    output: null,
    payload: run.payload,
    labels: run.labels,
  };
}

function keyOf(jobName: string, idempotencyKey: string): string {
  return `${jobName}\0${idempotencyKey}`;
}
