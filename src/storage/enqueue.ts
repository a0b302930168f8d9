import type { Enqueued, NewRun } from '../core/store.ts';
import type { Connection } from './connection.ts';
import { type Departure, Lane, type LaneMember } from './lane.ts';
import { RUN_COLUMNS, type RunRow, toRun } from './rows.ts';

/** An id that is there already is this very run, sent again because the answer was lost. */
const STORE = `
insert into durably_runs (id, job_name, payload, idempotency_key, concurrency_key, labels)
select value->>'id', value->>'jobName', value->>'payload', value->>'idempotencyKey', value->>'concurrencyKey',
  value->>'labels'
from json_each(?)
where true
order by key
on conflict (id) do update set id = excluded.id`;

/** Of a run that can only be new, its time is all that is not known: each column returned costs time. */
const STORE_NEW = `${STORE}
returning id, created_at`;

/** A key that has a run already, or comes twice in one statement, gives that run back, and nothing is journalled. */
const STORE_KEYED = `${STORE}
on conflict (job_name, idempotency_key) where idempotency_key is not null
  do update set idempotency_key = excluded.idempotency_key
returning ${RUN_COLUMNS.join(', ')}`;

const READ = `
select ${RUN_COLUMNS.join(', ')} from durably_runs where id in (select value from json_each(?))`;

interface EnqueueMember extends LaneMember {
  readonly runs: readonly NewRun[];
}

/** Stores runs, those of concurrent callers in one statement. */
export class EnqueueLane {
  readonly #connection: Connection;
  readonly #lane: Lane<EnqueueMember, Enqueued[]>;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#lane = new Lane({
      clock: connection.clock,
      send: (members, departure) => enqueue(connection, members, departure),
      isMembersFault: connection.isStatementFault,
      maxUnderWay: () => connection.maxUnderWay,
    });
  }

  async submit(runs: readonly NewRun[]): Promise<Enqueued[]> {
    if (runs.length === 0) return [];
    const chars = runs.reduce((sum, run) => sum + run.payload.length + (run.labels?.length ?? 0), 0);
    return await this.#lane.submit({ runs, rows: runs.length, chars }, this.#connection.callerDeadline());
  }
}

async function enqueue(
  connection: Connection,
  members: readonly EnqueueMember[],
  departure: Departure,
): Promise<Enqueued[][]> {
  const all = members.flatMap((member) => member.runs);
  const isKeyed = all.some((run) => run.idempotencyKey !== null);
  const resultOf = isKeyed
    ? await storeKeyed(connection, all, departure)
    : await storeNew(connection, all, departure);
  return members.map((member) => member.runs.map(resultOf));
}

type Results = (run: NewRun) => Enqueued;

async function storeNew(
  connection: Connection,
  runs: readonly NewRun[],
  { deadlineMs, isSentAgain }: Departure,
): Promise<Results> {
  let sendings = isSentAgain ? 1 : 0;
  const rows = await connection.execute<Pick<RunRow, 'id' | 'created_at'>>({
    sql: STORE_NEW,
    parameters: [JSON.stringify(runs)],
    deadlineMs,
    onSend: () => {
      sendings++;
    },
  });
  const createdAt = new Map(rows.map((row) => [row.id, row.created_at]));
  // Stored by an earlier sending, it may have been under way since.
  const current = sendings > 1 ? await readRows(connection, runs) : undefined;
  return (run) => ({
    run: toRun(current?.get(run.id) ?? toNewRow(run, createdAt.get(run.id))),
    created: true,
  });
}

async function readRows(
  connection: Connection,
  runs: readonly NewRun[],
): Promise<ReadonlyMap<string, RunRow>> {
  const ids = JSON.stringify(runs.map(({ id }) => id));
  const rows = await connection.execute<RunRow>({ sql: READ, parameters: [ids] });
  return new Map(rows.map((row) => [row.id, row]));
}

async function storeKeyed(
  connection: Connection,
  runs: readonly NewRun[],
  { deadlineMs }: Departure,
): Promise<Results> {
  const rows = await connection.execute<RunRow>({
    sql: STORE_KEYED,
    parameters: [JSON.stringify(runs)],
    deadlineMs,
  });
  const byId = new Map<string, RunRow>();
  const byKey = new Map<string, RunRow>();
  for (const row of rows) {
    byId.set(row.id, row);
    if (row.idempotency_key !== null) byKey.set(keyOf(row.job_name, row.idempotency_key), row);
  }
  return (run) => {
    const own = byId.get(run.id);
    const row = own ?? byKey.get(keyOf(run.jobName, run.idempotencyKey ?? ''));
    if (!row) throw notStored(run);
    return { run: toRun(row), created: own !== undefined };
  };
}

/** A run as the database has it in the moment that it is stored. */
function toNewRow(run: NewRun, createdAt: number | undefined): RunRow {
  if (createdAt === undefined) throw notStored(run);
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

function notStored({ id }: NewRun): Error {
  return new Error(`run ${id} was not stored`);
}

function keyOf(jobName: string, idempotencyKey: string): string {
  return `${jobName}\0${idempotencyKey}`;
}
