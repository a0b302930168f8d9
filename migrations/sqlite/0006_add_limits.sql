-- Limits of jobs, which claims keep, and jobs that are paused.

-- Of its job's limits at its trigger: the key of which only so many runs are executed at once, and the key of which only
-- so many start in a while. The first is '=' and the key. So is the second, or '*' if the throttle has no key.
alter table durably_runs add column limit_key text;
alter table durably_runs add column rate_key text;
-- 1: the run keeps its concurrency key and its places while it waits. Set by the claim, for that of its job.
alter table durably_runs add column holds integer not null default 0;
-- What the last start took from its throttle: the time between two starts, and the time for all of a burst.
alter table durably_runs add column rate_interval_ms real;
alter table durably_runs add column rate_per_ms integer;

create index durably_runs_holding on durably_runs (concurrency_key) where holds = 1;

create table durably_paused_jobs (
  job_name text primary key,
  paused_at integer not null default (cast(unixepoch('subsec') * 1000 as integer))
) strict, without rowid;

-- The second bit of key_turn, 2: the run is in a line (see optional/limits.sql), and no claim takes it but through that. The
-- first bit is its turn at its concurrency key. A run that holds its key always has it.
drop trigger durably_runs_queued;
create trigger durably_runs_queued after insert on durably_runs
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
end;

drop trigger durably_runs_turned;
create trigger durably_runs_turned after update of status on durably_runs
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
end;

drop trigger durably_all_appends_wait;
create trigger durably_all_appends_wait instead of insert on durably_all_appends
when new.type in ('run:wait', 'run:retry')
begin
  insert into durably_journal (run_id, job_name, type, created_at, attempt, message, data)
  values (new.run_id, new.job_name, new.type, new.created_at, new.attempt, new.message, new.data);
  update durably_runs set
    status = iif(w.is_over, 'pending', 'waiting'),
    waits = iif(w.is_over, null, new.data->'waits'), due_at = iif(w.is_over, null, new.data->>'dueAt'),
    claim_kind = iif(new.type = 'run:retry', 'start', 'resume'),
    retry_count = retry_count + (new.type = 'run:retry'),
    -- Only a start passes a throttle, and a run that holds its places passes no line.
    key_turn = (key_turn & 1) | iif(
      holds = 0 and (limit_key is not null or (new.type = 'run:retry' and rate_key is not null)), 2, 0
    ),
    -- For an owner whose answer was lost.
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
end;

drop trigger durably_all_appends_child;
create trigger durably_all_appends_child instead of insert on durably_all_appends
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
end;

drop view durably_forks;
create view durably_forks as
select
  id, job_name, payload, concurrency_key, labels, forked_from, limit_key, rate_key, 0 as from_index
from durably_runs;

create trigger durably_forks_stored instead of insert on durably_forks
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
end;
