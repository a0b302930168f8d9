import { mkdtempSync, rmSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from '/tmp/w/compat/node_modules/libsql/index.js';
import { splitStatements } from '/tmp/w/compat/scripts/sql-statements.ts';

const V1 = splitStatements(readFileSync('/tmp/w/compat/migrations/0001_create_runs.sql', 'utf8'));
const TABLE = ['alter table durably_runs add column labels text',
 'create table durably_labels (key text not null, value text not null, run_seq integer not null, primary key (key, value, run_seq)) strict, without rowid'];
const ownTrigger = `create trigger durably_runs_labelled after insert on durably_runs when new.labels is not null begin insert into durably_labels (key, value, run_seq) select key, value, new.seq from json_each(new.labels); end`;
const folded = [`drop trigger durably_runs_triggered`, `create trigger durably_runs_triggered after insert on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, created_at)
  values (new.id, new.job_name, 'run:trigger', new.created_at);
  insert into durably_labels (key, value, run_seq) select key, value, new.seq from json_each(new.labels);
end`];
const cols = 'id, job_name, status, attempt, step_count, heartbeat_at, created_at, started_at, completed_at, updated_at, idempotency_key, concurrency_key, progress, error, output, payload';
const enq = (l: boolean) => `
insert into durably_runs (id, job_name, payload, idempotency_key, concurrency_key${l ? ', labels' : ''})
select value->>'id', value->>'jobName', value->>'payload', value->>'idempotencyKey', value->>'concurrencyKey'${l ? ", value->>'labels'" : ''}
from json_each(?)
where true
order by key
on conflict (id) do update set id = excluded.id
on conflict (job_name, idempotency_key) where idempotency_key is not null
  do update set idempotency_key = excluded.idempotency_key
returning ${cols}${l ? ', labels' : ''}`;
const variants: Record<string, { setup: string[]; sql: string }> = {
  base: { setup: [], sql: enq(false) },
  column: { setup: TABLE, sql: enq(true) },
  own: { setup: [...TABLE, ownTrigger], sql: enq(true) },
  folded: { setup: [...TABLE, ...folded], sql: enq(true) },
};

const dbs = Object.entries(variants).map(([name, v]) => {
  const folder = mkdtempSync('/dev/shm/b-');
  const db = new Database(join(folder, 'x.db'));
  db.exec('pragma journal_mode = wal'); db.exec('pragma synchronous = off');
  for (const s of [...V1, ...v.setup]) db.exec(s);
  return { name, v, db, folder, total: [] as number[], prep: [] as number[] };
});
let id = 0;
const once = (d: (typeof dbs)[number]) => d.db.prepare(d.v.sql).all(JSON.stringify([{ id: `run_${id++}`, jobName: 'echo', payload: '{"a":1}', idempotencyKey: null, concurrencyKey: null, labels: null }]));
const timed = (f: () => void) => { const t = process.hrtime.bigint(); f(); return Number(process.hrtime.bigint() - t) / 1000; };
for (let r = 0; r < 3000; r++) for (let k = 0; k < dbs.length; k++) {
  const d = dbs[(k + r) % dbs.length]!;
  d.total.push(timed(() => once(d)));
  d.prep.push(timed(() => d.db.prepare(d.v.sql)));
}
const q = (a: number[], p: number) => a.toSorted((x, y) => x - y)[Math.floor(a.length * p)]!.toFixed(1);
for (const d of dbs) { console.log(d.name.padEnd(8), 'total µs p10', q(d.total, .1), 'p25', q(d.total, .25), 'p50', q(d.total, .5), '| prepare p10', q(d.prep, .1), 'p25', q(d.prep, .25), 'p50', q(d.prep, .5)); d.db.close(); rmSync(d.folder, { recursive: true }); }
