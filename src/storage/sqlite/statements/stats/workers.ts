import { decodeJson } from '../../../../core/json/json.ts';
import type { StoredWorker } from '../../../../core/stats/stats-store.ts';
import type { NotedWorker } from '../../../../core/stats/worker-info.ts';
import type { Sql, WriteKind } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import { NOW_MS } from '../../sql.ts';
import { PLACES } from '../places.ts';

const HOUR_MS = 60 * 60 * 1000;
/** The most workers that are listed: those that were seen last. */
const MAX_LISTED = 1_000;

const NOTE = `
insert into durably_workers (id, version, slots, running, jobs) values (?1, ?2, ?3, ?4, ?5)
on conflict (id) do update set
  version = excluded.version, slots = excluded.slots, running = excluded.running, jobs = excluded.jobs,
  seen_at = excluded.seen_at, started_at = iif(?6, excluded.started_at, started_at)`;

const FORGET = 'delete from durably_workers where id = ?';

const LIST = `
select w.id as instance, w.version, w.slots, w.running as inUse, w.started_at as startedAtMs, w.seen_at as seenAtMs, w.jobs
from durably_workers w where w.seen_at >= ${NOW_MS} - ${HOUR_MS} order by w.seen_at desc limit ${MAX_LISTED}`;

/** What workers say of themselves. All of it can be done again without harm. */
const notes: WriteKind<Sql, void> = {
  name: 'worker',
  place: PLACES.signal,
  sizeOf: () => ({ rows: 1, chars: 0 }),
  compile: (members) => ({ statements: members, decode: () => members.map(() => undefined) }),
};

export async function noteWorker(connection: Connection, worker: NotedWorker): Promise<void> {
  const { instance, version, slots, inUse, jobs, isOnDemand } = worker;
  const parameters = [instance, version, slots, inUse, JSON.stringify(jobs), isOnDemand ? 1 : 0];
  await connection.lane.submit(notes, { sql: NOTE, parameters });
}

export async function forgetWorker(
  connection: Connection,
  instance: string,
  deadlineMs: number,
): Promise<void> {
  await connection.lane.submit(notes, { sql: FORGET, parameters: [instance] }, deadlineMs);
}

/** In the order of their starts. */
export async function listWorkers(connection: Connection): Promise<StoredWorker[]> {
  type Row = Omit<StoredWorker, 'jobs'> & { readonly jobs: string };
  const rows = await connection.execute<Row>({ sql: LIST, parameters: [] });
  return rows
    .map((row) => ({ ...row, jobs: decodeJson(row.jobs) as string[] }))
    .sort((one, other) => one.startedAtMs - other.startedAtMs || (one.instance < other.instance ? -1 : 1));
}
