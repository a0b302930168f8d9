// Generated from migrations/sqlite/*.sql by `npm run migrations`. Do not edit.

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly statements: readonly string[];
}

export const migrations: readonly Migration[] = [
  {
    version: 1,
    name: 'create_tables',
    statements: [
`create table durably_runs (
  seq integer primary key,
  id text not null unique,
  job_name text not null,
  status text not null default 'pending',
  key_turn integer not null default 1,
  claim_kind text not null default 'start',
  attempt integer not null default 0,
  fence integer not null default 0,
  step_count integer not null default 0,
  lost_count integer not null default 0,
  append_count integer not null default 0,
  priority integer not null default 0,
  last_command text,
  claim_token text,
  heartbeat_at integer,
  created_at integer not null default (cast(unixepoch('subsec') * 1000 as integer)),
  started_at integer,
  completed_at integer,
  updated_at integer not null default (cast(unixepoch('subsec') * 1000 as integer)),
  due_at integer,
  scheduled_for integer,
  schedule_id text,
  parent_run_id text,
  idempotency_key text,
  concurrency_key text,
  labels text,
  failed_step_name text,
  progress text,
  waits text,
  error text,
  error_detail text,
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
`create table durably_labels (
  key text not null,
  value text not null,
  run_seq integer not null,
  primary key (key, value, run_seq)
) strict, without rowid`,
`create table durably_steps (
  run_id text not null,
  name text not null,
  step_index integer not null,
  kind text not null default 'run',
  status text not null,
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
`create table durably_deletions (
  run_id text primary key,
  sequence integer not null,
  portions integer not null default 0
) strict, without rowid`,
`create trigger durably_runs_triggered after insert on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, created_at)
  values (new.id, new.job_name, 'run:trigger', new.created_at);
end`,
`create trigger durably_runs_claimed after update of fence on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, created_at, attempt, message)
  values (
    new.id, new.job_name,
    case
      when new.status = 'failed' then 'run:fail'
      when new.claim_kind = 'resume' then 'run:resume'
      else 'run:start'
    end,
    new.updated_at, new.attempt, new.error
  );
end`,
`create trigger durably_runs_commanded after update of last_command on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, created_at)
  values (new.id, new.job_name, 'run:' || new.last_command, new.updated_at);
end`,
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
`create view durably_appends as
select
  run_id, job_name, type, created_at, attempt, step_name, step_index, level, message, duration_ms, data,
  null as append_no
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
    version: 2,
    name: 'waiting_runs',
    statements: [
`alter table durably_steps add column tries integer not null default 0`,
`alter table durably_steps add column due_at integer`,
`alter table durably_runs add column retry_count integer not null default 0`,
`create index durably_runs_due on durably_runs (due_at) where status = 'waiting'`,
`drop trigger durably_runs_triggered`,
`create trigger durably_runs_triggered after insert on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, created_at, data)
  values (
    new.id, new.job_name, 'run:trigger', new.created_at,
    iif(new.due_at is null, null, json_object('runAt', strftime('%Y-%m-%dT%H:%M:%fZ', new.due_at / 1000.0, 'unixepoch')))
  );
end`,
`drop trigger durably_runs_commanded`,
`create trigger durably_runs_commanded after update of last_command on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, created_at)
  values (new.id, new.job_name, 'run:' || new.last_command, new.updated_at);
  delete from durably_steps
  where run_id = new.id and status = 'open' and kind = 'run' and new.last_command = 'retry';
end`,
`drop trigger durably_appends_step`,
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
  insert into durably_steps (run_id, name, step_index, kind, status, sequence)
  values (
    new.run_id, new.step_name, new.step_index, coalesce(new.level, 'run'),
    case new.type when 'step:complete' then 'completed' else 'failed' end, last_insert_rowid()
  )
  on conflict (run_id, name) do update set
    step_index = excluded.step_index, kind = excluded.kind, status = excluded.status, sequence = excluded.sequence
    where status <> 'completed';
  update durably_runs set
    step_count = step_count + (new.type = 'step:complete'),
    lost_count = case new.type when 'step:complete' then 0 else lost_count end,
    append_count = coalesce(new.append_no, append_count), updated_at = new.created_at
  where id = new.run_id;
end`,
`drop trigger durably_appends_other`,
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
  insert into durably_steps (run_id, name, step_index, kind, status, sequence, due_at)
  select new.run_id, new.step_name, new.step_index, new.data->>'kind', 'open', last_insert_rowid(), new.data->>'dueAt'
  where new.type = 'step:start' and new.data is not null
  on conflict (run_id, name) do update set
    kind = excluded.kind, status = excluded.status, sequence = excluded.sequence, due_at = excluded.due_at, tries = 0
    where status = 'failed' or (status = 'open' and kind <> excluded.kind);
  insert into durably_steps (run_id, name, step_index, status, sequence, tries, due_at)
  select new.run_id, new.step_name, new.step_index, 'open', last_insert_rowid(), new.data->>'attempt', new.data->>'dueAt'
  where new.type = 'step:retry'
  on conflict (run_id, name) do update set
    kind = 'run', status = excluded.status, sequence = excluded.sequence, tries = excluded.tries,
    due_at = excluded.due_at
    where status <> 'completed';
end`,
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
    status = 'waiting', waits = new.data->'waits', due_at = new.data->>'dueAt',
    claim_kind = iif(new.type = 'run:retry', 'start', 'resume'),
    retry_count = retry_count + (new.type = 'run:retry'),
    heartbeat_at = null, append_count = new.append_no, updated_at = new.created_at
  where id = new.run_id and new.type in ('run:wait', 'run:retry');
  update durably_runs set
    append_count = coalesce(new.append_no, append_count),
    progress = case new.type when 'run:progress' then new.data else progress end,
    updated_at = case new.type when 'run:progress' then new.created_at else updated_at end
  where id = new.run_id and new.type not in ('run:complete', 'run:fail', 'run:wait', 'run:retry');
end`,
    ],
  },
  {
    version: 3,
    name: 'run_options',
    statements: [
`alter table durably_runs add column version integer`,
`alter table durably_runs add column ttl_ms integer`,
`alter table durably_runs add column ttl text`,
`alter table durably_runs add column timeout_ms integer`,
`alter table durably_runs add column timeout text`,
`alter table durably_runs add column deadline_at integer`,
`alter table durably_runs add column waited_fence integer`,
`create index durably_runs_deadlines on durably_runs (deadline_at)
  where status in ('pending', 'waiting', 'running') and deadline_at is not null`,
`drop index durably_runs_claimable`,
`create index durably_runs_claimable on durably_runs (job_name, priority desc)
  where status = 'pending' and key_turn = 1`,
`drop index durably_runs_waiting_key`,
`create index durably_runs_waiting_key on durably_runs (concurrency_key, job_name, priority desc)
  where status = 'pending' and concurrency_key is not null`,
`drop trigger durably_runs_queued`,
`create trigger durably_runs_queued after insert on durably_runs
when new.concurrency_key is not null
begin
  update durably_runs set key_turn = 0
  where seq = new.seq and exists (
    select 1 from durably_runs o
    where o.status = 'pending' and o.concurrency_key = new.concurrency_key
      and o.job_name = new.job_name and o.priority >= new.priority and o.seq < new.seq
  );
  update durably_runs set key_turn = 0
  where seq = (
    select o.seq from durably_runs o
    where o.status = 'pending' and o.concurrency_key = new.concurrency_key
      and o.job_name = new.job_name and o.priority < new.priority
    order by o.priority desc, o.seq limit 1
  ) and key_turn = 1 and new.status = 'pending';
end`,
`drop trigger durably_runs_turned`,
`create trigger durably_runs_turned after update of status on durably_runs
when (new.status = 'pending') <> (old.status = 'pending') and new.concurrency_key is not null
begin
  update durably_runs set key_turn = seq is (
    select o.seq from durably_runs o
    where o.status = 'pending' and o.concurrency_key = new.concurrency_key and o.job_name = new.job_name
    order by o.priority desc, o.seq limit 1
  )
  where seq = new.seq or seq in (
    select o.seq from durably_runs o
    where o.status = 'pending' and o.concurrency_key = new.concurrency_key and o.job_name = new.job_name
    order by o.priority desc, o.seq limit 2
  );
end`,
`drop trigger durably_runs_claimed`,
`create trigger durably_runs_claimed after update of fence on durably_runs
when new.fence <> old.fence
begin
  insert into durably_journal (run_id, job_name, type, created_at, attempt, message, data)
  values (
    new.id, new.job_name,
    case
      when new.status = 'failed' then 'run:fail'
      when new.claim_kind = 'resume' then 'run:resume'
      else 'run:start'
    end,
    new.updated_at, new.attempt, new.error, iif(new.status = 'failed', new.error_detail, null)
  );
end`,
`create trigger durably_appends_waited instead of insert on durably_appends
when new.type in ('run:wait', 'run:retry')
begin
  update durably_runs set waited_fence = fence where id = new.run_id;
end`,
    ],
  },
  {
    version: 4,
    name: 'signals_and_children',
    statements: [
`create table durably_signals (
  seq integer primary key,
  id text not null,
  run_id text not null,
  name text not null,
  signal_id text not null,
  is_taken integer not null default 0,
  created_at integer not null default (cast(unixepoch('subsec') * 1000 as integer)),
  payload text not null
) strict`,
`create unique index durably_signals_by_id on durably_signals (run_id, signal_id)`,
`create index durably_signals_untaken on durably_signals (run_id) where is_taken = 0`,
`alter table durably_runs add column depth integer not null default 0`,
`create index durably_runs_by_parent on durably_runs (parent_run_id) where parent_run_id is not null`,
`alter table durably_runs add column cancels_below integer not null default 0`,
`create index durably_runs_cancelling on durably_runs (id) where cancels_below = 1`,
`alter table durably_steps add column child_run_id text`,
`create trigger durably_signals_sent after insert on durably_signals
begin
  insert into durably_journal (run_id, job_name, type, created_at, message, data)
  select r.id, r.job_name, 'run:signal', new.created_at, new.name, new.payload
  from durably_runs r where r.id = new.run_id;
  update durably_runs set status = 'pending', due_at = null, waits = null, updated_at = new.created_at
  where id = new.run_id and status = 'waiting'
    and exists (select 1 from json_each(waits) w where w.value->>'signal' = new.name);
end`,
`create trigger durably_runs_ended after update of completed_at on durably_runs
when new.completed_at is not null and new.parent_run_id is not null
begin
  update durably_runs set status = 'pending', due_at = null, waits = null, updated_at = new.updated_at
  where id = new.parent_run_id and status = 'waiting'
    and exists (select 1 from json_each(waits) w where w.value->>'runId' = new.id);
end`,
`drop trigger durably_runs_triggered`,
`create trigger durably_runs_triggered after insert on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, created_at, data)
  values (
    new.id, new.job_name, 'run:trigger', new.created_at,
    iif(new.due_at is null and new.parent_run_id is null, null, json_patch('{}', json_object(
      'runAt', strftime('%Y-%m-%dT%H:%M:%fZ', new.due_at / 1000.0, 'unixepoch'),
      'parentRunId', new.parent_run_id
    )))
  );
end`,
`drop trigger durably_runs_commanded`,
`create trigger durably_runs_commanded after update of last_command on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, created_at)
  values (new.id, new.job_name, 'run:' || new.last_command, new.updated_at);
  delete from durably_steps
  where run_id = new.id and status = 'open' and new.last_command = 'retry' and (
    kind = 'run' or (kind = 'invoke' and not exists (
      select 1 from durably_runs c where c.id = child_run_id and c.status not in ('failed', 'cancelled')
    ))
  );
end`,
`drop trigger durably_appends_other`,
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
`drop trigger durably_appends_waited`,
`drop trigger durably_appends_run`,
`create trigger durably_appends_run instead of insert on durably_appends
when new.type not in ('step:complete', 'step:fail') and (new.append_no is not null or new.type = 'run:progress')
begin
  update durably_runs set
    append_count = coalesce(new.append_no, append_count),
    progress = case new.type when 'run:progress' then new.data else progress end,
    updated_at = case new.type when 'run:progress' then new.created_at else updated_at end
  where id = new.run_id;
end`,
`create view durably_endings as select * from durably_appends`,
`create trigger durably_endings_any instead of insert on durably_endings
begin
  insert into durably_journal (
    run_id, job_name, type, created_at, attempt, step_name, level, message, duration_ms, data
  )
  values (
    new.run_id, new.job_name, new.type, new.created_at, new.attempt, new.step_name,
    iif(new.type = 'log:write', new.level, null), new.message, new.duration_ms, new.data
  );
  update durably_runs set
    status = case new.type when 'run:complete' then 'completed' else 'failed' end,
    output = case new.type when 'run:complete' then new.data end,
    error_detail = case new.type when 'run:fail' then new.data end,
    failed_step_name = new.step_name,
    error = new.message, append_count = new.append_no,
    cancels_below = new.level is 'timeout',
    completed_at = new.created_at, updated_at = new.created_at
  where id = new.run_id and new.type in ('run:complete', 'run:fail');
end`,
`create view durably_all_appends as
select
  run_id, job_name, type, created_at, attempt, step_name, step_index, level, message, duration_ms, data, append_no,
  null as signal_seq,
  null as child
from durably_appends`,
`create trigger durably_all_appends_usual instead of insert on durably_all_appends
when new.type in ('step:complete', 'step:fail', 'log:write', 'run:progress', 'run:emit')
  or (new.type = 'step:start' and new.data is null)
begin
  insert into durably_appends (
    run_id, job_name, type, created_at, attempt, step_name, step_index, level, message, duration_ms, data, append_no
  )
  values (
    new.run_id, new.job_name, new.type, new.created_at, new.attempt, new.step_name, new.step_index,
    new.level, new.message, new.duration_ms, new.data, new.append_no
  );
  update durably_signals set is_taken = 1 where seq = new.signal_seq;
end`,
`create trigger durably_all_appends_open instead of insert on durably_all_appends
when new.child is null and (new.type = 'step:retry' or (new.type = 'step:start' and new.data is not null))
begin
  insert into durably_journal (
    run_id, job_name, type, created_at, attempt, step_name, step_index, message, data
  )
  values (
    new.run_id, new.job_name, new.type, new.created_at, new.attempt, new.step_name, new.step_index,
    new.message, new.data
  );
  insert into durably_steps (run_id, name, step_index, kind, status, sequence, due_at)
  select new.run_id, new.step_name, new.step_index, new.data->>'kind', 'open', last_insert_rowid(), new.data->>'dueAt'
  where new.type = 'step:start'
  on conflict (run_id, name) do update set
    kind = excluded.kind, status = excluded.status, sequence = excluded.sequence, due_at = excluded.due_at, tries = 0
    where status = 'failed' or (status = 'open' and kind <> excluded.kind);
  insert into durably_steps (run_id, name, step_index, status, sequence, tries, due_at)
  select new.run_id, new.step_name, new.step_index, 'open', last_insert_rowid(), new.data->>'attempt', new.data->>'dueAt'
  where new.type = 'step:retry'
  on conflict (run_id, name) do update set
    kind = 'run', status = excluded.status, sequence = excluded.sequence, tries = excluded.tries,
    due_at = excluded.due_at
    where status <> 'completed';
  update durably_runs set append_count = coalesce(new.append_no, append_count) where id = new.run_id;
end`,
`create trigger durably_all_appends_end instead of insert on durably_all_appends
when new.type in ('run:complete', 'run:fail')
begin
  insert into durably_endings (
    run_id, job_name, type, created_at, attempt, step_name, level, message, duration_ms, data, append_no
  )
  values (
    new.run_id, new.job_name, new.type, new.created_at, new.attempt, new.step_name, new.level, new.message,
    new.duration_ms, new.data, new.append_no
  );
end`,
`create trigger durably_all_appends_wait instead of insert on durably_all_appends
when new.type in ('run:wait', 'run:retry')
begin
  insert into durably_journal (run_id, job_name, type, created_at, attempt, message, data)
  values (new.run_id, new.job_name, new.type, new.created_at, new.attempt, new.message, new.data);
  update durably_runs set
    status = iif(w.is_over, 'pending', 'waiting'),
    waits = iif(w.is_over, null, new.data->'waits'), due_at = iif(w.is_over, null, new.data->>'dueAt'),
    claim_kind = iif(new.type = 'run:retry', 'start', 'resume'),
    retry_count = retry_count + (new.type = 'run:retry'),
    waited_fence = fence,
    heartbeat_at = null, append_count = new.append_no, updated_at = new.created_at
  from (
    select exists (
      select 1 from json_each(new.data->'waits') e
      where exists (
        select 1 from durably_signals s
        where s.run_id = new.run_id and s.is_taken = 0 and s.name = e.value->>'signal'
      ) or (e.value->>'runId' is not null and not exists (
        select 1 from durably_runs c
        where c.id = e.value->>'runId' and c.status in ('pending', 'waiting', 'running')
      ))
    ) as is_over
  ) w
  where id = new.run_id;
end`,
`create trigger durably_all_appends_child instead of insert on durably_all_appends
when new.child is not null
begin
  insert into durably_journal (run_id, job_name, type, created_at, attempt, step_name, step_index)
  values (new.run_id, new.job_name, new.type, new.created_at, new.attempt, new.step_name, new.step_index);
  insert into durably_steps (run_id, name, step_index, kind, status, sequence, child_run_id)
  values (
    new.run_id, new.step_name, new.step_index, 'invoke', 'open', last_insert_rowid(), new.child->>'id'
  )
  on conflict (run_id, name) do update set
    step_index = excluded.step_index, kind = excluded.kind, status = excluded.status,
    sequence = excluded.sequence, child_run_id = excluded.child_run_id, due_at = null, tries = 0
    where status <> 'completed';
  insert into durably_runs (
    id, job_name, payload, concurrency_key, labels, parent_run_id, depth, status, due_at, waits,
    priority, ttl_ms, ttl, timeout_ms, timeout, deadline_at
  )
  select
    new.child->>'id', new.child->>'jobName', new.data, new.child->>'concurrencyKey', new.child->>'labels',
    p.id, p.depth + 1, iif(c.due_at is null, 'pending', 'waiting'), c.due_at,
    iif(c.due_at is null, null, json_array(json_object(
      'kind', 'delay', 'stepName', null,
      'until', strftime('%Y-%m-%dT%H:%M:%fZ', c.due_at / 1000.0, 'unixepoch')
    ))),
    coalesce(new.child->>'priority', 0), new.child->>'ttlMs', new.child->>'ttl',
    new.child->>'timeoutMs', new.child->>'timeout', coalesce(c.due_at, new.created_at) + (new.child->>'ttlMs')
  from durably_runs p, (
    select iif(d.at > new.created_at, d.at, null) as due_at from (
      select coalesce(new.child->>'atMs', new.created_at + (new.child->>'afterMs')) as at
    ) d
  ) c
  where p.id = new.run_id;
  update durably_runs set append_count = coalesce(new.append_no, append_count) where id = new.run_id;
end`,
`drop trigger durably_deletions_portion`,
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
  delete from durably_signals where seq in (
    select s.seq from (
      select p.seq, p.bytes, sum(p.bytes) over (rows unbounded preceding) as total
      from (
        select g.seq, octet_length(g.payload) + octet_length(g.name) as bytes
        from durably_signals g indexed by durably_signals_by_id
        where g.run_id = new.run_id
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
    )
    and not exists (
      select 1 from durably_signals g indexed by durably_signals_by_id where g.run_id = new.run_id
    );
end`,
    ],
  },
  {
    version: 5,
    name: 'add_forks',
    statements: [
`alter table durably_runs add column forked_from text`,
`drop trigger durably_runs_triggered`,
`create trigger durably_runs_triggered after insert on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, created_at, data)
  values (
    new.id, new.job_name, 'run:trigger', new.created_at,
    iif(new.due_at is null and new.parent_run_id is null and new.forked_from is null, null, json_patch('{}', json_object(
      'runAt', strftime('%Y-%m-%dT%H:%M:%fZ', new.due_at / 1000.0, 'unixepoch'),
      'parentRunId', new.parent_run_id,
      'forkedFrom', new.forked_from
    )))
  );
end`,
`create view durably_forks as
select id, job_name, payload, concurrency_key, labels, forked_from, 0 as from_index from durably_runs`,
`create trigger durably_forks_stored instead of insert on durably_forks
begin
  insert into durably_runs (id, job_name, payload, concurrency_key, labels, forked_from)
  values (new.id, new.job_name, new.payload, new.concurrency_key, new.labels, new.forked_from);
  insert into durably_journal (
    run_id, job_name, type, created_at, attempt, step_name, step_index, duration_ms, data
  )
  select new.id, new.job_name, 'step:complete', j.created_at, j.attempt, s.name, s.step_index, j.duration_ms, j.data
  from durably_steps s cross join durably_journal j on j.sequence = s.sequence
  where s.run_id = new.forked_from and s.status = 'completed' and s.step_index < new.from_index
  order by s.step_index, s.name;
  insert into durably_steps (run_id, name, step_index, kind, status, sequence)
  select new.id, s.name, s.step_index, s.kind, 'completed', j.sequence
  from durably_journal j indexed by durably_journal_by_run
    cross join durably_steps s on s.run_id = new.forked_from and s.name = j.step_name
  where j.run_id = new.id and j.type = 'step:complete';
  update durably_runs set step_count = (
    select count(*) from durably_steps s where s.run_id = new.id
  )
  where id = new.id;
end`,
    ],
  },
  {
    version: 6,
    name: 'add_limits',
    statements: [
`alter table durably_runs add column limit_key text`,
`alter table durably_runs add column rate_key text`,
`alter table durably_runs add column holds integer not null default 0`,
`alter table durably_runs add column rate_interval_ms real`,
`alter table durably_runs add column rate_per_ms integer`,
`create index durably_runs_holding on durably_runs (concurrency_key) where holds = 1`,
`create table durably_paused_jobs (
  job_name text primary key,
  paused_at integer not null default (cast(unixepoch('subsec') * 1000 as integer))
) strict, without rowid`,
`drop trigger durably_runs_queued`,
`create trigger durably_runs_queued after insert on durably_runs
when new.concurrency_key is not null
begin
  update durably_runs set key_turn = key_turn & 2
  where seq = new.seq and exists (
    select 1 from durably_runs o
    where o.status = 'pending' and o.concurrency_key = new.concurrency_key
      and o.job_name = new.job_name and o.priority >= new.priority and o.seq < new.seq
  );
  update durably_runs set key_turn = key_turn & 2
  where seq = (
    select o.seq from durably_runs o
    where o.status = 'pending' and o.concurrency_key = new.concurrency_key
      and o.job_name = new.job_name and o.priority < new.priority
    order by o.priority desc, o.seq limit 1
  ) and key_turn & 1 = 1 and new.status = 'pending';
end`,
`drop trigger durably_runs_turned`,
`create trigger durably_runs_turned after update of status on durably_runs
when (new.status = 'pending') <> (old.status = 'pending') and new.concurrency_key is not null
begin
  update durably_runs set key_turn = (key_turn & 2) | (holds = 1 or seq is (
    select o.seq from durably_runs o
    where o.status = 'pending' and o.concurrency_key = new.concurrency_key and o.job_name = new.job_name
    order by o.priority desc, o.seq limit 1
  ))
  where seq = new.seq or seq in (
    select o.seq from durably_runs o
    where o.status = 'pending' and o.concurrency_key = new.concurrency_key and o.job_name = new.job_name
    order by o.priority desc, o.seq limit 2
  );
end`,
`drop trigger durably_all_appends_wait`,
`create trigger durably_all_appends_wait instead of insert on durably_all_appends
when new.type in ('run:wait', 'run:retry')
begin
  insert into durably_journal (run_id, job_name, type, created_at, attempt, message, data)
  values (new.run_id, new.job_name, new.type, new.created_at, new.attempt, new.message, new.data);
  update durably_runs set
    status = iif(w.is_over, 'pending', 'waiting'),
    waits = iif(w.is_over, null, new.data->'waits'), due_at = iif(w.is_over, null, new.data->>'dueAt'),
    claim_kind = iif(new.type = 'run:retry', 'start', 'resume'),
    retry_count = retry_count + (new.type = 'run:retry'),
    key_turn = (key_turn & 1) | iif(
      holds = 0 and (limit_key is not null or (new.type = 'run:retry' and rate_key is not null)), 2, 0
    ),
    waited_fence = fence,
    heartbeat_at = null, append_count = new.append_no, updated_at = new.created_at
  from (
    select exists (
      select 1 from json_each(new.data->'waits') e
      where exists (
        select 1 from durably_signals s
        where s.run_id = new.run_id and s.is_taken = 0 and s.name = e.value->>'signal'
      ) or (e.value->>'runId' is not null and not exists (
        select 1 from durably_runs c
        where c.id = e.value->>'runId' and c.status in ('pending', 'waiting', 'running')
      ))
    ) as is_over
  ) w
  where id = new.run_id;
end`,
`drop trigger durably_all_appends_child`,
`create trigger durably_all_appends_child instead of insert on durably_all_appends
when new.child is not null
begin
  insert into durably_journal (run_id, job_name, type, created_at, attempt, step_name, step_index)
  values (new.run_id, new.job_name, new.type, new.created_at, new.attempt, new.step_name, new.step_index);
  insert into durably_steps (run_id, name, step_index, kind, status, sequence, child_run_id)
  values (
    new.run_id, new.step_name, new.step_index, 'invoke', 'open', last_insert_rowid(), new.child->>'id'
  )
  on conflict (run_id, name) do update set
    step_index = excluded.step_index, kind = excluded.kind, status = excluded.status,
    sequence = excluded.sequence, child_run_id = excluded.child_run_id, due_at = null, tries = 0
    where status <> 'completed';
  insert into durably_runs (
    id, job_name, payload, concurrency_key, labels, parent_run_id, depth, status, due_at, waits,
    priority, ttl_ms, ttl, timeout_ms, timeout, deadline_at, limit_key, rate_key, key_turn
  )
  select
    new.child->>'id', new.child->>'jobName', new.data, new.child->>'concurrencyKey', new.child->>'labels',
    p.id, p.depth + 1, iif(c.due_at is null, 'pending', 'waiting'), c.due_at,
    iif(c.due_at is null, null, json_array(json_object(
      'kind', 'delay', 'stepName', null,
      'until', strftime('%Y-%m-%dT%H:%M:%fZ', c.due_at / 1000.0, 'unixepoch')
    ))),
    coalesce(new.child->>'priority', 0), new.child->>'ttlMs', new.child->>'ttl',
    new.child->>'timeoutMs', new.child->>'timeout', coalesce(c.due_at, new.created_at) + (new.child->>'ttlMs'),
    new.child->>'limitKey', new.child->>'rateKey',
    iif(coalesce(new.child->>'limitKey', new.child->>'rateKey') is null, 1, 3)
  from durably_runs p, (
    select iif(d.at > new.created_at, d.at, null) as due_at from (
      select coalesce(new.child->>'atMs', new.created_at + (new.child->>'afterMs')) as at
    ) d
  ) c
  where p.id = new.run_id;
  update durably_runs set append_count = coalesce(new.append_no, append_count) where id = new.run_id;
end`,
`drop view durably_forks`,
`create view durably_forks as
select
  id, job_name, payload, concurrency_key, labels, forked_from, limit_key, rate_key, 0 as from_index
from durably_runs`,
`create trigger durably_forks_stored instead of insert on durably_forks
begin
  insert into durably_runs (id, job_name, payload, concurrency_key, labels, forked_from, limit_key, rate_key, key_turn)
  values (
    new.id, new.job_name, new.payload, new.concurrency_key, new.labels, new.forked_from, new.limit_key, new.rate_key,
    iif(coalesce(new.limit_key, new.rate_key) is null, 1, 3)
  );
  insert into durably_journal (
    run_id, job_name, type, created_at, attempt, step_name, step_index, duration_ms, data
  )
  select new.id, new.job_name, 'step:complete', j.created_at, j.attempt, s.name, s.step_index, j.duration_ms, j.data
  from durably_steps s cross join durably_journal j on j.sequence = s.sequence
  where s.run_id = new.forked_from and s.status = 'completed' and s.step_index < new.from_index
  order by s.step_index, s.name;
  insert into durably_steps (run_id, name, step_index, kind, status, sequence)
  select new.id, s.name, s.step_index, s.kind, 'completed', j.sequence
  from durably_journal j indexed by durably_journal_by_run
    cross join durably_steps s on s.run_id = new.forked_from and s.name = j.step_name
  where j.run_id = new.id and j.type = 'step:complete';
  update durably_runs set step_count = (
    select count(*) from durably_steps s where s.run_id = new.id
  )
  where id = new.id;
end`,
    ],
  },
  {
    version: 7,
    name: 'trigger_options',
    statements: [
`alter table durably_runs add column key_generation integer not null default 0`,
`alter table durably_runs add column idempotency_until integer`,
`drop index durably_runs_idempotency`,
`create unique index durably_runs_idempotency on durably_runs (job_name, idempotency_key, key_generation)
  where idempotency_key is not null`,
`alter table durably_runs add column debounce_key text`,
`alter table durably_runs add column debounced_by text`,
`alter table durably_runs add column debounce_count integer not null default 0`,
`create trigger durably_runs_debounced after update of debounce_count on durably_runs
when new.debounce_count <> old.debounce_count
begin
  insert into durably_journal (run_id, job_name, type, created_at, data)
  values (new.id, new.job_name, 'run:reschedule', new.updated_at, json_object(
    'runAt', strftime('%Y-%m-%dT%H:%M:%fZ', new.due_at / 1000.0, 'unixepoch')
  ));
  delete from durably_labels
  where run_seq = new.seq and (key, value) in (select l.key, l.value from json_each(old.labels) l);
  insert into durably_labels (key, value, run_seq)
  select l.key, l.value, new.seq from json_each(new.labels) l;
end`,
    ],
  },
  {
    version: 8,
    name: 'cancel_in_portions',
    statements: [
`drop index durably_runs_cancelling`,
`create index durably_runs_cancelling on durably_runs (cancels_below) where cancels_below > 0`,
    ],
  },
  {
    version: 9,
    name: 'manage_runs',
    statements: [
`create index durably_runs_by_created on durably_runs (created_at)`,
`create index durably_runs_by_concurrency_key on durably_runs (concurrency_key)
  where concurrency_key is not null`,
`create index durably_runs_by_idempotency_key on durably_runs (
  iif(
    idempotency_key < char(31) or idempotency_key >= char(32), idempotency_key,
    substr(idempotency_key, 2 + instr(substr(idempotency_key, 2), char(31)))
  )
) where idempotency_key is not null`,
`create index durably_labels_by_value on durably_labels (value, run_seq)`,
`create index durably_runs_by_end on durably_runs (status, completed_at) where completed_at is not null`,
`create table durably_clock_steps (
  run_seq integer primary key,
  from_ms integer not null,
  to_ms integer not null
) strict`,
`insert into durably_clock_steps (run_seq, from_ms, to_ms)
select seq, before, created_at
from (select seq, created_at, lag(created_at) over (order by seq) as before from durably_runs)
where before > created_at`,
`create trigger durably_runs_clock_step after insert on durably_runs
when new.created_at < (
  select o.created_at from durably_runs o where o.seq < new.seq order by o.seq desc limit 1
)
begin
  insert or replace into durably_clock_steps (run_seq, from_ms, to_ms)
  select new.seq, o.created_at, new.created_at
  from durably_runs o where o.seq < new.seq order by o.seq desc limit 1;
end`,
`create view durably_quick_deletions as select id, job_name, status, cancels_below from durably_runs`,
`create trigger durably_quick_deletions_left instead of delete on durably_quick_deletions
begin
  insert into durably_deletions (run_id, sequence, portions) values (old.id, 0, -1)
  on conflict (run_id) do update set portions = -1;
  delete from durably_runs where id = old.id;
end`,
`drop trigger durably_runs_deleted`,
`create trigger durably_runs_deleted after delete on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, data)
  values (old.id, old.job_name, 'run:delete', old.labels);
  insert into durably_deletions (run_id, sequence) values (old.id, last_insert_rowid())
  on conflict (run_id) do update set sequence = excluded.sequence;
  update durably_deletions set portions = portions + 1 where run_id = old.id and portions >= 0;
end`,
`drop trigger durably_runs_commanded`,
`create trigger durably_runs_commanded after update of last_command on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, created_at, message, data)
  values (
    new.id, new.job_name, 'run:' || new.last_command, new.updated_at,
    iif(new.last_command = 'retry', old.status, null),
    iif(new.last_command = 'reschedule', json_object(
      'runAt', strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(new.due_at, new.updated_at) / 1000.0, 'unixepoch')
    ), null)
  );
  delete from durably_steps
  where run_id = new.id and status = 'open' and new.last_command = 'retry' and (
    kind = 'run' or (kind = 'invoke' and not exists (
      select 1 from durably_runs c where c.id = child_run_id and c.status not in ('failed', 'cancelled')
    ))
  );
end`,
`create table durably_counts (
  job_name text primary key,
  active integer not null,
  completed integer not null,
  failed integer not null,
  cancelled integer not null
) strict, without rowid`,
`create table durably_counting (
  id integer primary key check (id = 1),
  up_to integer,
  rounds integer not null default 0
) strict`,
`insert into durably_counting (id) values (1)`,
`create view durably_counted as
select j.sequence, j.run_id, j.job_name,
  iif(j.type in ('run:trigger', 'run:retry'), 1, -1) as active,
  j.type = 'run:complete' as completed,
  (j.type = 'run:fail') - (j.type = 'run:retry' and j.message is 'failed') as failed,
  (j.type = 'run:cancel') - (j.type = 'run:retry' and j.message is 'cancelled') as cancelled
from durably_journal j
where j.type in ('run:trigger', 'run:complete', 'run:fail', 'run:cancel')
  or (j.type = 'run:retry' and j.data is null)`,
`create trigger durably_counting_all after update of rounds on durably_counting
when new.rounds <> old.rounds
begin
  delete from durably_counts where job_name >= '';
  insert into durably_counts (job_name, active, completed, failed, cancelled)
  select s.job_name, sum(iif(s.status in ('pending', 'waiting', 'running'), s.runs, 0)),
    sum(iif(s.status = 'completed', s.runs, 0)), sum(iif(s.status = 'failed', s.runs, 0)),
    sum(iif(s.status = 'cancelled', s.runs, 0))
  from (
    select job_name, status, count(*) as runs from durably_runs indexed by durably_runs_by_job
    group by job_name, status
  ) s
  group by s.job_name;
end`,
`create trigger durably_counting_on after update of up_to on durably_counting
when new.rounds = old.rounds and new.up_to > old.up_to
begin
  insert into durably_counts (job_name, active, completed, failed, cancelled)
  select c.job_name, sum(c.active), sum(c.completed), sum(c.failed), sum(c.cancelled)
  from durably_counted c
  where c.sequence > old.up_to and c.sequence <= new.up_to and not exists (
    select 1 from durably_deletions d where d.run_id = c.run_id and d.sequence > c.sequence
  )
  group by c.job_name
  on conflict (job_name) do update set
    active = active + excluded.active, completed = completed + excluded.completed,
    failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled;
end`,
`create trigger durably_runs_uncounted before delete on durably_runs
when exists (select 1 from durably_counting where id = 1 and up_to is not null)
begin
  insert into durably_counts (job_name, active, completed, failed, cancelled)
  select old.job_name, -(f.status = 'active'), -(f.status = 'completed'), -(f.status = 'failed'), -(f.status = 'cancelled')
  from (
    select coalesce((
      select case
        when j.type = 'run:trigger' then 'none'
        when j.type = 'run:retry' and j.data is null then j.message
        else 'active'
      end
      from durably_journal j indexed by durably_journal_by_run
      where j.run_id = old.id and j.sequence > (select up_to from durably_counting where id = 1)
      order by j.sequence limit 1
    ), old.status) as status
  ) f
  where f.status <> 'none'
  on conflict (job_name) do update set
    active = active + excluded.active, completed = completed + excluded.completed,
    failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled;
end`,
    ],
  },
  {
    version: 10,
    name: 'add_schedules',
    statements: [
`create table durably_schedules (
  id text primary key,
  job_name text not null,
  revision text not null,
  timing text not null,
  anchor_at integer not null,
  next_at integer,
  paused_at integer,
  fixed_version integer,
  missed text not null,
  overlap text not null,
  priority integer not null default 0,
  limit_key text,
  rate_key text,
  created_at integer not null default (cast(unixepoch('subsec') * 1000 as integer)),
  updated_at integer not null default (cast(unixepoch('subsec') * 1000 as integer)),
  labels text,
  payload text not null
) strict`,
`create index durably_schedules_due on durably_schedules (job_name, next_at) where paused_at is null`,
`create index durably_runs_by_schedule on durably_runs (schedule_id, status) where schedule_id is not null`,
`create view durably_firings as
select
  id as schedule_id, next_at,
  '[]' as runs
from durably_schedules`,
`create trigger durably_firings_stored instead of insert on durably_firings
begin
  insert into durably_runs (
    id, job_name, payload, labels, priority, schedule_id, scheduled_for, limit_key, rate_key, key_turn
  )
  select
    f.value->>0, s.job_name, s.payload, s.labels, s.priority, s.id, f.value->>1, s.limit_key, s.rate_key,
    iif(coalesce(s.limit_key, s.rate_key) is null, 1, 3)
  from durably_schedules s cross join json_each(new.runs) f
  where s.id = new.schedule_id and (s.overlap <> 'skip' or not exists (
    select 1 from durably_runs o indexed by durably_runs_by_schedule
    where o.schedule_id = new.schedule_id and o.status in ('pending', 'waiting', 'running')
  ));
  update durably_schedules set next_at = new.next_at where id = new.schedule_id;
end`,
    ],
  },
  {
    version: 11,
    name: 'add_stats',
    statements: [
`create table durably_stats_spans (
  span_ms integer primary key,
  kept_ms integer not null
) strict`,
`insert into durably_stats_spans (span_ms, kept_ms)
values (60000, 172800000), (3600000, 3024000000), (86400000, 34560000000)`,
`create table durably_stats (
  span_ms integer not null,
  at integer not null,
  job_name text not null,
  started integer not null,
  completed integer not null,
  failed integer not null,
  cancelled integer not null,
  durations text not null,
  primary key (span_ms, at, job_name)
) strict, without rowid`,
`create index durably_stats_by_job on durably_stats (job_name, span_ms, at)`,
`create table durably_stats_place (
  id integer primary key check (id = 1),
  up_to integer not null
) strict`,
`insert into durably_stats_place (id, up_to) values (1, 0)`,
`create view durably_stat_events as
select e.sequence, e.run_id, e.job_name, e.created_at, e.started, e.completed, e.failed, e.cancelled,
  case
    when e.took_ms < 0 then null
    when e.took_ms < 100 then e.took_ms
    else (length(e.took_ms) - 2) * 100 + substr(e.took_ms, 1, 2)
  end as bin
from (
  select j.sequence, j.run_id, j.job_name, j.created_at,
    j.type = 'run:start' as started, j.type = 'run:complete' as completed,
    j.type = 'run:fail' as failed, j.type = 'run:cancel' as cancelled,
    iif(j.type in ('run:complete', 'run:fail') and r.last_command is not 'retry', j.created_at - r.started_at, null) as took_ms
  from durably_journal j cross join durably_runs r on r.id = j.run_id
  where j.type in ('run:start', 'run:complete', 'run:fail', 'run:cancel')
) e`,
`create view durably_stats_added as
select span_ms, at, job_name, started, completed, failed, cancelled, durations from durably_stats`,
`create trigger durably_stats_add instead of insert on durably_stats_added
begin
  insert into durably_stats (span_ms, at, job_name, started, completed, failed, cancelled, durations)
  values (
    new.span_ms, new.at, new.job_name, new.started, new.completed, new.failed, new.cancelled, new.durations
  )
  on conflict (span_ms, at, job_name) do update set
    started = started + excluded.started, completed = completed + excluded.completed,
    failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled,
    durations = (
      select json_group_object(b.bin, b.runs) from (
        select k.key as bin, sum(k.value) as runs from (
          select o.key, o.value from json_each(durations) o
          union all
          select n.key, n.value from json_each(new.durations) n
        ) k group by k.key
      ) b
    );
end`,
`create trigger durably_stats_fold after update of up_to on durably_stats_place
when new.up_to > old.up_to
begin
  insert into durably_stats_added (span_ms, at, job_name, started, completed, failed, cancelled, durations)
  select s.span_ms, s.at, s.job_name, sum(s.started), sum(s.completed), sum(s.failed), sum(s.cancelled),
    json_group_object(s.bin, s.runs) filter (where s.bin is not null)
  from (
    select p.span_ms, m.minute_at - m.minute_at % p.span_ms as at, m.job_name, m.bin, sum(m.runs) as runs,
      sum(m.started) as started, sum(m.completed) as completed, sum(m.failed) as failed, sum(m.cancelled) as cancelled
    from (
      select e.created_at - e.created_at % 60000 as minute_at, e.job_name, e.bin, count(*) as runs,
        sum(e.started) as started, sum(e.completed) as completed, sum(e.failed) as failed, sum(e.cancelled) as cancelled
      from durably_stat_events e
      where e.sequence > old.up_to and e.sequence <= new.up_to
      group by 1, 2, 3
    ) m cross join durably_stats_spans p
    where m.minute_at >= cast(unixepoch('subsec') * 1000 as integer) - p.kept_ms
    group by 1, 2, 3, 4
  ) s
  group by 1, 2, 3;
  delete from durably_stats where (span_ms, at, job_name) in (
    select o.span_ms, o.at, o.job_name
    from durably_stats_spans p cross join durably_stats o
    where o.span_ms = p.span_ms and o.at < cast(unixepoch('subsec') * 1000 as integer) - p.kept_ms - p.span_ms
    limit 1000
  );
end`,
`create trigger durably_runs_folded before delete on durably_runs
begin
  insert into durably_stats_added (span_ms, at, job_name, started, completed, failed, cancelled, durations)
  select s.span_ms, s.at, s.job_name, sum(s.started), sum(s.completed), sum(s.failed), sum(s.cancelled),
    json_group_object(s.bin, s.runs) filter (where s.bin is not null)
  from (
    select p.span_ms, m.minute_at - m.minute_at % p.span_ms as at, m.job_name, m.bin, sum(m.runs) as runs,
      sum(m.started) as started, sum(m.completed) as completed, sum(m.failed) as failed, sum(m.cancelled) as cancelled
    from (
      select e.created_at - e.created_at % 60000 as minute_at, e.job_name, e.bin, count(*) as runs,
        sum(e.started) as started, sum(e.completed) as completed, sum(e.failed) as failed, sum(e.cancelled) as cancelled
      from durably_stat_events e
      where e.run_id = old.id and e.sequence > (select up_to from durably_stats_place where id = 1)
      group by 1, 2, 3
    ) m cross join durably_stats_spans p
    where m.minute_at >= cast(unixepoch('subsec') * 1000 as integer) - p.kept_ms
    group by 1, 2, 3, 4
  ) s
  group by 1, 2, 3;
end`,
`create table durably_workers (
  id text primary key,
  version text not null,
  slots integer not null,
  running integer not null,
  started_at integer not null default (cast(unixepoch('subsec') * 1000 as integer)),
  seen_at integer not null default (cast(unixepoch('subsec') * 1000 as integer)),
  jobs text not null
) strict, without rowid`,
`create trigger durably_workers_forgotten after insert on durably_workers
begin
  delete from durably_workers where seen_at < new.seen_at - 3600000;
end`,
    ],
  },
  {
    version: 12,
    name: 'add_plugin_data',
    statements: [
`alter table durably_runs add column plugin_data text`,
`alter table durably_runs add column due_since integer`,
`drop trigger durably_all_appends_child`,
`create trigger durably_all_appends_child instead of insert on durably_all_appends
when new.child is not null
begin
  insert into durably_journal (run_id, job_name, type, created_at, attempt, step_name, step_index)
  values (new.run_id, new.job_name, new.type, new.created_at, new.attempt, new.step_name, new.step_index);
  insert into durably_steps (run_id, name, step_index, kind, status, sequence, child_run_id)
  values (
    new.run_id, new.step_name, new.step_index, 'invoke', 'open', last_insert_rowid(), new.child->>'id'
  )
  on conflict (run_id, name) do update set
    step_index = excluded.step_index, kind = excluded.kind, status = excluded.status,
    sequence = excluded.sequence, child_run_id = excluded.child_run_id, due_at = null, tries = 0
    where status <> 'completed';
  insert into durably_runs (
    id, job_name, payload, concurrency_key, labels, parent_run_id, depth, status, due_at, waits,
    priority, ttl_ms, ttl, timeout_ms, timeout, deadline_at, limit_key, rate_key, key_turn, plugin_data
  )
  select
    new.child->>'id', new.child->>'jobName', new.data, new.child->>'concurrencyKey', new.child->>'labels',
    p.id, p.depth + 1, iif(c.due_at is null, 'pending', 'waiting'), c.due_at,
    iif(c.due_at is null, null, json_array(json_object(
      'kind', 'delay', 'stepName', null,
      'until', strftime('%Y-%m-%dT%H:%M:%fZ', c.due_at / 1000.0, 'unixepoch')
    ))),
    coalesce(new.child->>'priority', 0), new.child->>'ttlMs', new.child->>'ttl',
    new.child->>'timeoutMs', new.child->>'timeout', coalesce(c.due_at, new.created_at) + (new.child->>'ttlMs'),
    new.child->>'limitKey', new.child->>'rateKey',
    iif(coalesce(new.child->>'limitKey', new.child->>'rateKey') is null, 1, 3), new.child->>'pluginData'
  from durably_runs p, (
    select iif(d.at > new.created_at, d.at, null) as due_at from (
      select coalesce(new.child->>'atMs', new.created_at + (new.child->>'afterMs')) as at
    ) d
  ) c
  where p.id = new.run_id;
  update durably_runs set append_count = coalesce(new.append_no, append_count) where id = new.run_id;
end`,
`drop view durably_forks`,
`create view durably_forks as
select
  id, job_name, payload, concurrency_key, labels, forked_from, limit_key, rate_key, plugin_data, 0 as from_index
from durably_runs`,
`create trigger durably_forks_stored instead of insert on durably_forks
begin
  insert into durably_runs (id, job_name, payload, concurrency_key, labels, forked_from, limit_key, rate_key, key_turn, plugin_data)
  values (
    new.id, new.job_name, new.payload, new.concurrency_key, new.labels, new.forked_from, new.limit_key, new.rate_key,
    iif(coalesce(new.limit_key, new.rate_key) is null, 1, 3), new.plugin_data
  );
  insert into durably_journal (
    run_id, job_name, type, created_at, attempt, step_name, step_index, duration_ms, data
  )
  select new.id, new.job_name, 'step:complete', j.created_at, j.attempt, s.name, s.step_index, j.duration_ms, j.data
  from durably_steps s cross join durably_journal j on j.sequence = s.sequence
  where s.run_id = new.forked_from and s.status = 'completed' and s.step_index < new.from_index
  order by s.step_index, s.name;
  insert into durably_steps (run_id, name, step_index, kind, status, sequence)
  select new.id, s.name, s.step_index, s.kind, 'completed', j.sequence
  from durably_journal j indexed by durably_journal_by_run
    cross join durably_steps s on s.run_id = new.forked_from and s.name = j.step_name
  where j.run_id = new.id and j.type = 'step:complete';
  update durably_runs set step_count = (
    select count(*) from durably_steps s where s.run_id = new.id
  )
  where id = new.id;
end`,
    ],
  },
  {
    version: 13,
    name: 'keep_keyed_inputs',
    statements: [
`alter table durably_runs add column keyed_payload text`,
    ],
  },
];

/** Parts of the schema that are added when they are needed first. Adding them again changes nothing. */
export const optionalParts = {
  coalescing: [
`create index if not exists durably_runs_waiting_by_key on durably_runs (concurrency_key, job_name)
  where status = 'waiting' and concurrency_key is not null`,
`create index if not exists durably_runs_debounced_by on durably_runs (debounced_by) where debounced_by is not null`,
`create index if not exists durably_runs_debounced_by_key on durably_runs (job_name, debounce_key)
  where status = 'waiting' and debounce_key is not null`,
  ],
  limits: [
`create table if not exists durably_lines (
  id integer primary key,
  job_name text not null,
  limit_key text not null,
  rate_key text not null,
  common_rate text,
  is_whole integer generated always as (common_rate is '*') virtual,
  is_stale integer not null default 1,
  active integer not null default 0,
  head_priority integer,
  head_seq integer,
  opens_at integer
) strict`,
`create unique index if not exists durably_lines_by_keys on durably_lines (job_name, limit_key, rate_key)`,
`create index if not exists durably_lines_stale on durably_lines (job_name) where is_stale = 1`,
`create index if not exists durably_lines_closed on durably_lines (job_name, opens_at) where opens_at is not null`,
`create index if not exists durably_lines_open on durably_lines (job_name, is_whole, active, head_priority desc, head_seq)
  where head_seq is not null and opens_at is null`,
`create trigger if not exists durably_lines_emptied after update of head_seq on durably_lines
when new.head_seq is null
begin
  delete from durably_lines where id = new.id;
end`,
`create table if not exists durably_rates (
  job_name text not null,
  key text not null,
  full_at real not null,
  primary key (job_name, key)
) strict, without rowid`,
`create index if not exists durably_rates_by_end on durably_rates (full_at)`,
`create index if not exists durably_runs_in_line
  on durably_runs (job_name, limit_key, iif(limit_key is null, rate_key, null), priority desc)
  where status = 'pending' and key_turn >= 2`,
`create index if not exists durably_runs_first_in_line
  on durably_runs (job_name, limit_key, iif(limit_key is null, rate_key, null), priority desc)
  where status = 'pending' and key_turn = 3`,
`create index if not exists durably_runs_places on durably_runs (job_name, limit_key)
  where status = 'running' and limit_key is not null`,
`create index if not exists durably_runs_held on durably_runs (job_name, status, limit_key) where holds = 1`,
`create trigger if not exists durably_runs_joined after insert on durably_runs
when new.limit_key is not null or new.rate_key is not null
begin
  insert into durably_lines (job_name, limit_key, rate_key, common_rate)
  values (
    new.job_name, coalesce(new.limit_key, ''), iif(new.limit_key is null, new.rate_key, ''), new.rate_key
  )
  on conflict (job_name, limit_key, rate_key) do update set
    is_stale = 1, common_rate = iif(common_rate is excluded.common_rate, common_rate, null);
end`,
`create trigger if not exists durably_runs_moved after update of status on durably_runs
when (new.limit_key is not null or new.rate_key is not null) and new.status <> old.status
begin
  insert into durably_lines (job_name, limit_key, rate_key, common_rate)
  values (
    new.job_name, coalesce(new.limit_key, ''), iif(new.limit_key is null, new.rate_key, ''),
    iif(new.claim_kind = 'start' or new.limit_key is null, new.rate_key, null)
  )
  on conflict (job_name, limit_key, rate_key) do update set
    is_stale = 1,
    common_rate = iif(new.status <> 'pending' or common_rate is excluded.common_rate, common_rate, null);
end`,
`create trigger if not exists durably_runs_rated after update of rate_interval_ms on durably_runs
when new.rate_interval_ms is not null
begin
  insert into durably_rates (job_name, key, full_at)
  values (new.job_name, coalesce(new.rate_key, '*'), new.updated_at + new.rate_interval_ms)
  on conflict (job_name, key) do update set
    full_at = iif(
      full_at > new.updated_at + new.rate_per_ms + new.rate_interval_ms, new.updated_at, max(full_at, new.updated_at)
    ) + new.rate_interval_ms;
end`,
`create trigger if not exists durably_runs_released after update of completed_at on durably_runs
when new.holds = 1 and new.completed_at is not null
begin
  update durably_runs set holds = 0 where seq = new.seq;
end`,
  ],
  webhooks: [
`create table if not exists durably_webhooks (
  id integer primary key check (id = 1),
  endpoints text not null
) strict`,
`create index if not exists durably_runs_delivered on durably_runs (completed_at)
  where job_name = 'durably:webhook' and completed_at is not null`,
`create trigger if not exists durably_runs_announced after update of completed_at on durably_runs
when new.completed_at is not null and old.completed_at is null and new.job_name <> 'durably:webhook'
begin
  insert into durably_runs (id, job_name, payload)
  select 'msg_' || lower(hex(randomblob(12))), 'durably:webhook', json_object(
    'event', 'run.' || new.status, 'runId', new.id, 'jobName', new.job_name, 'attempt', new.attempt,
    'endedAt', new.completed_at, 'endpoint', t.endpoint, 'host', t.host, 'url', t.url
  )
  from (
    select e.value->>'id' as endpoint, e.value->>'host' as host, null as url,
      e.value->'events' as events, e.value->'jobs' as jobs
    from durably_webhooks w cross join json_each(w.endpoints) e
    where w.id = 1
    union all
    select null, r.value->>'host', r.value->>'url', r.value->'events', null
    from json_each(new.plugin_data) r
    where r.key = 'durably:webhook'
  ) t
  where exists (select 1 from json_each(t.events) v where v.value = 'run.' || new.status)
    and (t.jobs is null or t.jobs = 'null' or exists (
      select 1 from json_each(t.jobs) j where j.value = new.job_name
    ));
end`,
  ],
} satisfies Record<string, readonly string[]>;
