// Generated from migrations/*.sql by `npm run migrations`. Do not edit.

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly statements: readonly string[];
}

export const migrations: readonly Migration[] = [
  {
    version: 1,
    name: 'create_runs',
    statements: [
`create table durably_runs (
  seq integer primary key,
  id text not null unique,
  job_name text not null,
  status text not null default 'pending'
    check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
  key_turn integer not null default 1,
  attempt integer not null default 0,
  step_count integer not null default 0,
  lost_count integer not null default 0,
  append_count integer not null default 0,
  claim_token text,
  heartbeat_at integer,
  created_at integer not null default (cast(unixepoch('subsec') * 1000 as integer)),
  started_at integer,
  completed_at integer,
  updated_at integer not null default (cast(unixepoch('subsec') * 1000 as integer)),
  idempotency_key text,
  concurrency_key text,
  progress text,
  error text,
  output text,
  payload text not null
) strict`,
`create unique index durably_runs_idempotency on durably_runs (job_name, idempotency_key)
  where idempotency_key is not null`,
`create index durably_runs_claimable on durably_runs (job_name)
  where status = 'pending' and key_turn = 1`,
`create index durably_runs_waiting_key on durably_runs (concurrency_key, job_name)
  where status = 'pending' and concurrency_key is not null`,
`create index durably_runs_running_key on durably_runs (concurrency_key)
  where status = 'running' and concurrency_key is not null`,
`create index durably_runs_leases on durably_runs (heartbeat_at) where status = 'running'`,
`create index durably_runs_by_status on durably_runs (status)`,
`create index durably_runs_by_job on durably_runs (job_name, status)`,
`create table durably_steps (
  run_id text not null,
  name text not null,
  step_index integer not null,
  status text not null check (status in ('completed', 'failed')),
  sequence integer not null,
  primary key (run_id, name)
) strict, without rowid`,
`create table durably_journal (
  sequence integer primary key autoincrement,
  run_id text not null,
  job_name text not null,
  type text not null,
  created_at integer not null default (cast(unixepoch('subsec') * 1000 as integer)),
  attempt integer,
  append_no integer,
  step_name text,
  step_index integer,
  level text,
  message text,
  duration_ms integer,
  data text
) strict`,
`create index durably_journal_by_run on durably_journal (run_id)`,
`create index durably_journal_logs on durably_journal (run_id) where type = 'log:write'`,
`create index durably_journal_deletions on durably_journal (created_at) where type = 'run:delete'`,
`create trigger durably_runs_triggered after insert on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, created_at)
  values (new.id, new.job_name, 'run:trigger', new.created_at);
end`,
`create trigger durably_runs_started after update of attempt on durably_runs
when new.status = 'running' and new.attempt <> old.attempt
begin
  insert into durably_journal (run_id, job_name, type, created_at, attempt)
  values (new.id, new.job_name, 'run:start', new.updated_at, new.attempt);
end`,
`create trigger durably_runs_lost after update of attempt on durably_runs
when new.status = 'failed' and new.attempt <> old.attempt
begin
  insert into durably_journal (run_id, job_name, type, created_at, attempt, message)
  values (new.id, new.job_name, 'run:fail', new.updated_at, new.attempt, new.error);
end`,
`create trigger durably_runs_cancelled after update of status on durably_runs
when new.status = 'cancelled' and old.status <> 'cancelled'
begin
  insert into durably_journal (run_id, job_name, type, created_at)
  values (new.id, new.job_name, 'run:cancel', new.updated_at);
end`,
`create trigger durably_runs_retried after update of status on durably_runs
when new.status = 'pending' and old.status in ('failed', 'cancelled')
begin
  insert into durably_journal (run_id, job_name, type, created_at)
  values (new.id, new.job_name, 'run:retry', new.updated_at);
end`,
`create trigger durably_runs_deleted after delete on durably_runs
begin
  delete from durably_steps where run_id = old.id;
  delete from durably_journal where run_id = old.id;
  insert into durably_journal (run_id, job_name, type) values (old.id, old.job_name, 'run:delete');
end`,
`create trigger durably_journal_step after insert on durably_journal
when new.type in ('step:complete', 'step:fail')
begin
  insert into durably_steps (run_id, name, step_index, status, sequence)
  values (
    new.run_id, new.step_name, new.step_index,
    case new.type when 'step:complete' then 'completed' else 'failed' end, new.sequence
  )
  on conflict (run_id, name) do update set
    step_index = excluded.step_index, status = excluded.status, sequence = excluded.sequence
    where status = 'failed';
  update durably_runs set
    step_count = step_count + (new.type = 'step:complete'),
    lost_count = case new.type when 'step:complete' then 0 else lost_count end,
    append_count = coalesce(new.append_no, append_count), updated_at = new.created_at
  where id = new.run_id;
end`,
`create trigger durably_journal_progress after insert on durably_journal
when new.type = 'run:progress'
begin
  update durably_runs set progress = new.data, updated_at = new.created_at where id = new.run_id;
end`,
`create trigger durably_journal_flush after insert on durably_journal
when new.append_no is not null and new.type in ('step:start', 'run:progress', 'log:write')
begin
  update durably_runs set append_count = new.append_no where id = new.run_id;
end`,
`create trigger durably_journal_run after insert on durably_journal
when new.append_no is not null and new.type in ('run:complete', 'run:fail')
begin
  update durably_runs set
    status = case new.type when 'run:complete' then 'completed' else 'failed' end,
    output = new.data, error = new.message, append_count = new.append_no,
    completed_at = new.created_at, updated_at = new.created_at
  where id = new.run_id;
end`,
`create trigger durably_runs_queued after insert on durably_runs
when new.concurrency_key is not null
begin
  update durably_runs set key_turn = 0
  where seq = new.seq and exists (
    select 1 from durably_runs o
    where o.status = 'pending' and o.concurrency_key = new.concurrency_key
      and o.job_name = new.job_name and o.seq < new.seq
  );
end`,
`create trigger durably_runs_left_queue after update of status on durably_runs
when old.status = 'pending' and new.status <> 'pending' and new.concurrency_key is not null
begin
  update durably_runs set key_turn = 1
  where seq = (
    select min(o.seq) from durably_runs o
    where o.status = 'pending' and o.concurrency_key = new.concurrency_key and o.job_name = new.job_name
  );
end`,
`create trigger durably_runs_requeued after update of status on durably_runs
when new.status = 'pending' and old.status <> 'pending' and new.concurrency_key is not null
begin
  update durably_runs set key_turn = 0
  where seq = (
    select min(o.seq) from durably_runs o
    where o.status = 'pending' and o.concurrency_key = new.concurrency_key
      and o.job_name = new.job_name and o.seq > new.seq
  );
  update durably_runs set key_turn = not exists (
    select 1 from durably_runs o
    where o.status = 'pending' and o.concurrency_key = new.concurrency_key
      and o.job_name = new.job_name and o.seq < new.seq
  )
  where seq = new.seq;
end`,
    ],
  },
  {
    version: 2,
    name: 'add_run_labels',
    statements: [
`alter table durably_runs add column labels text`,
`create table durably_labels (
  key text not null,
  value text not null,
  run_seq integer not null,
  primary key (key, value, run_seq)
) strict, without rowid`,
`create trigger durably_runs_labelled after insert on durably_runs
when new.labels is not null
begin
  insert into durably_labels (key, value, run_seq)
  select l.key, l.value, new.seq from json_each(new.labels) l;
end`,
`create trigger durably_runs_unlabelled after delete on durably_runs
when old.labels is not null
begin
  delete from durably_labels
  where run_seq = old.seq and (key, value) in (select l.key, l.value from json_each(old.labels) l);
end`,
`drop trigger durably_runs_deleted`,
`create trigger durably_runs_deleted after delete on durably_runs
begin
  delete from durably_steps where run_id = old.id;
  delete from durably_journal where run_id = old.id;
  insert into durably_journal (run_id, job_name, type, data)
  values (old.id, old.job_name, 'run:delete', old.labels);
end`,
    ],
  },
  {
    version: 3,
    name: 'append_through_view',
    statements: [
`drop trigger durably_journal_step`,
`drop trigger durably_journal_progress`,
`drop trigger durably_journal_flush`,
`drop trigger durably_journal_run`,
`create trigger durably_journal_guarded before insert on durably_journal
when new.append_no is not null
begin
  select raise(abort, 'a durably of an earlier version cannot append to this database');
end`,
`create view durably_appends as
select
  run_id, job_name, type, created_at, attempt, step_name, step_index, level, message, duration_ms, data,
  append_no
from durably_journal`,
`create trigger durably_appends_step instead of insert on durably_appends
when new.type in ('step:complete', 'step:fail')
begin
  insert into durably_journal (
    run_id, job_name, type, created_at, attempt, step_name, step_index, message, duration_ms, data
  )
  values (
    new.run_id, new.job_name, new.type, new.created_at, new.attempt, new.step_name, new.step_index,
    new.message, new.duration_ms, new.data
  );
  insert into durably_steps (run_id, name, step_index, status, sequence)
  values (
    new.run_id, new.step_name, new.step_index,
    case new.type when 'step:complete' then 'completed' else 'failed' end, last_insert_rowid()
  )
  on conflict (run_id, name) do update set
    step_index = excluded.step_index, status = excluded.status, sequence = excluded.sequence
    where status = 'failed';
  update durably_runs set
    step_count = step_count + (new.type = 'step:complete'),
    lost_count = case new.type when 'step:complete' then 0 else lost_count end,
    append_count = coalesce(new.append_no, append_count), updated_at = new.created_at
  where id = new.run_id;
end`,
`create trigger durably_appends_other instead of insert on durably_appends
when new.type not in ('step:complete', 'step:fail')
begin
  insert into durably_journal (
    run_id, job_name, type, created_at, attempt, step_name, step_index, level, message, duration_ms, data
  )
  values (
    new.run_id, new.job_name, new.type, new.created_at, new.attempt, new.step_name, new.step_index,
    new.level, new.message, new.duration_ms, new.data
  );
end`,
`create trigger durably_appends_run instead of insert on durably_appends
when new.type not in ('step:complete', 'step:fail') and (new.append_no is not null or new.type = 'run:progress')
begin
  update durably_runs set
    status = case new.type when 'run:complete' then 'completed' else 'failed' end,
    output = new.data, error = new.message, append_count = new.append_no,
    completed_at = new.created_at, updated_at = new.created_at
  where id = new.run_id and new.type in ('run:complete', 'run:fail');
  update durably_runs set
    append_count = coalesce(new.append_no, append_count),
    progress = case new.type when 'run:progress' then new.data else progress end,
    updated_at = case new.type when 'run:progress' then new.created_at else updated_at end
  where id = new.run_id and new.type not in ('run:complete', 'run:fail');
end`,
    ],
  },
  {
    version: 4,
    name: 'merge_run_triggers',
    statements: [
`drop trigger durably_runs_started`,
`drop trigger durably_runs_lost`,
`create trigger durably_runs_claimed after update of attempt on durably_runs
when new.attempt <> old.attempt
begin
  insert into durably_journal (run_id, job_name, type, created_at, attempt, message)
  values (
    new.id, new.job_name, case new.status when 'failed' then 'run:fail' else 'run:start' end,
    new.updated_at, new.attempt, new.error
  );
end`,
`drop trigger durably_runs_cancelled`,
`drop trigger durably_runs_retried`,
`create trigger durably_runs_commanded after update of status on durably_runs
when new.status = 'cancelled' and old.status <> 'cancelled'
  or new.status = 'pending' and old.status in ('failed', 'cancelled')
begin
  insert into durably_journal (run_id, job_name, type, created_at)
  values (
    new.id, new.job_name, case new.status when 'cancelled' then 'run:cancel' else 'run:retry' end,
    new.updated_at
  );
end`,
`drop trigger durably_runs_left_queue`,
`drop trigger durably_runs_requeued`,
`create trigger durably_runs_turned after update of status on durably_runs
when (new.status = 'pending') <> (old.status = 'pending') and new.concurrency_key is not null
begin
  update durably_runs set key_turn = seq is (
    select min(o.seq) from durably_runs o
    where o.status = 'pending' and o.concurrency_key = new.concurrency_key and o.job_name = new.job_name
  )
  where seq = new.seq or seq in (
    select o.seq from durably_runs o
    where o.status = 'pending' and o.concurrency_key = new.concurrency_key and o.job_name = new.job_name
    order by o.seq limit 2
  );
end`,
    ],
  },
  {
    version: 5,
    name: 'error_detail',
    statements: [
`alter table durably_runs add column error_detail text`,
`alter table durably_runs add column failed_step_name text`,
`alter table durably_runs add column taken_over integer not null default 0`,
`drop trigger durably_appends_run`,
`create trigger durably_appends_run instead of insert on durably_appends
when new.type not in ('step:complete', 'step:fail') and (new.append_no is not null or new.type = 'run:progress')
begin
  update durably_runs set
    status = case new.type when 'run:complete' then 'completed' else 'failed' end,
    output = case new.type when 'run:complete' then new.data end,
    error_detail = case new.type when 'run:fail' then new.data end,
    failed_step_name = new.step_name,
    error = new.message, append_count = new.append_no,
    completed_at = new.created_at, updated_at = new.created_at
  where id = new.run_id and new.type in ('run:complete', 'run:fail');
  update durably_runs set
    append_count = coalesce(new.append_no, append_count),
    progress = case new.type when 'run:progress' then new.data else progress end,
    updated_at = case new.type when 'run:progress' then new.created_at else updated_at end
  where id = new.run_id and new.type not in ('run:complete', 'run:fail');
end`,
    ],
  },
  {
    version: 6,
    name: 'delete_in_portions',
    statements: [
`create table durably_deletions (
  run_id text primary key,
  sequence integer not null,
  portions integer not null default 0
) strict, without rowid`,
`drop trigger durably_runs_deleted`,
`create trigger durably_runs_deleted after delete on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, data)
  values (old.id, old.job_name, 'run:delete', old.labels);
  insert into durably_deletions (run_id, sequence) values (old.id, last_insert_rowid())
  on conflict (run_id) do update set sequence = excluded.sequence;
  update durably_deletions set portions = portions + 1 where run_id = old.id;
end`,
`create trigger durably_deletions_portion after update of portions on durably_deletions
begin
  delete from durably_journal where sequence in (
    select s.sequence from (
      select p.sequence, p.bytes, sum(p.bytes) over (rows unbounded preceding) as total
      from (
        select j.sequence,
          coalesce(octet_length(j.data), 0) + coalesce(octet_length(j.message), 0)
            + coalesce(octet_length(j.step_name), 0) as bytes
        from durably_journal j indexed by durably_journal_by_run
        where j.run_id = new.run_id and j.sequence < new.sequence
        order by j.sequence limit 500
      ) p
    ) s where s.total - s.bytes < 1048576
  );
  delete from durably_steps where run_id = new.run_id and name in (
    select s.name from (
      select p.name, p.bytes, sum(p.bytes) over (rows unbounded preceding) as total
      from (
        select o.name, octet_length(o.name) as bytes from durably_steps o
        where o.run_id = new.run_id and o.sequence < new.sequence
        limit 500
      ) p
    ) s where s.total - s.bytes < 1048576
  );
  delete from durably_deletions
  where run_id = new.run_id
    and not exists (
      select 1 from durably_journal j indexed by durably_journal_by_run
      where j.run_id = new.run_id and j.sequence < new.sequence
    )
    and not exists (
      select 1 from durably_steps o where o.run_id = new.run_id and o.sequence < new.sequence
    );
end`,
    ],
  },
];
