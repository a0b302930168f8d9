-- Lists by time and by text, and the removal of old runs.

create index durably_runs_by_created on durably_runs (created_at);
create index durably_runs_by_concurrency_key on durably_runs (concurrency_key)
  where concurrency_key is not null;
-- The idempotency key as callers know it, without its scope.
create index durably_runs_by_idempotency_key on durably_runs (
  iif(
    idempotency_key < char(31) or idempotency_key >= char(32), idempotency_key,
    substr(idempotency_key, 2 + instr(substr(idempotency_key, 2), char(31)))
  )
) where idempotency_key is not null;
create index durably_labels_by_value on durably_labels (value, run_seq);

-- The ends of runs, to remove the oldest ones.
create index durably_runs_by_end on durably_runs (status, completed_at) where completed_at is not null;

-- Where the database's clock was set back: the first run with an earlier time than the run before it, and both times.
-- Elsewhere later runs have later times, so that a time is a place in the order of insertion.
create table durably_clock_steps (
  run_seq integer primary key,
  from_ms integer not null,
  to_ms integer not null
) strict;

insert into durably_clock_steps (run_seq, from_ms, to_ms)
select seq, before, created_at
from (select seq, created_at, lag(created_at) over (order by seq) as before from durably_runs)
where before > created_at;

create trigger durably_runs_clock_step after insert on durably_runs
when new.created_at < (
  select o.created_at from durably_runs o where o.seq < new.seq order by o.seq desc limit 1
)
begin
  insert or replace into durably_clock_steps (run_seq, from_ms, to_ms)
  select new.seq, o.created_at, new.created_at
  from durably_runs o where o.seq < new.seq order by o.seq desc limit 1;
end;

-- Many runs are deleted at once through this view. Their steps and journal rows are left for later portions.
create view durably_quick_deletions as select id, job_name, status from durably_runs;

create trigger durably_quick_deletions_left instead of delete on durably_quick_deletions
begin
  insert into durably_deletions (run_id, sequence, portions) values (old.id, 0, -1)
  on conflict (run_id) do update set portions = -1;
  delete from durably_runs where id = old.id;
end;

drop trigger durably_runs_deleted;
create trigger durably_runs_deleted after delete on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, data)
  values (old.id, old.job_name, 'run:delete', old.labels);
  insert into durably_deletions (run_id, sequence) values (old.id, last_insert_rowid())
  on conflict (run_id) do update set sequence = excluded.sequence;
  -- Of most runs the first portion is all there is.
  update durably_deletions set portions = portions + 1 where run_id = old.id and portions >= 0;
end;

-- A run that has not started can be given another time. The event has the time.
-- A retry keeps the status that it ended, for the numbers of runs.
drop trigger durably_runs_commanded;
create trigger durably_runs_commanded after update of last_command on durably_runs
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
end;

-- How many runs each job has, up to a place in the journal. Nothing is counted when a run changes: who asks adds what the
-- journal tells of later changes.
create table durably_counts (
  job_name text primary key,
  active integer not null,
  completed integer not null,
  failed integer not null,
  cancelled integer not null
) strict, without rowid;

create table durably_counting (
  id integer primary key check (id = 1),
  -- Null before somebody asks for the first time.
  up_to integer,
  -- Raised to count all runs.
  rounds integer not null default 0
) strict;

insert into durably_counting (id) values (1);

-- What a row of the journal adds to the numbers of its job.
create view durably_counted as
select j.sequence, j.run_id, j.job_name,
  iif(j.type in ('run:trigger', 'run:retry'), 1, -1) as active,
  j.type = 'run:complete' as completed,
  (j.type = 'run:fail') - (j.type = 'run:retry' and j.message is 'failed') as failed,
  (j.type = 'run:cancel') - (j.type = 'run:retry' and j.message is 'cancelled') as cancelled
from durably_journal j
where j.type in ('run:trigger', 'run:complete', 'run:fail', 'run:cancel')
  -- A retry by the job itself is no end, and has data.
  or (j.type = 'run:retry' and j.data is null);

create trigger durably_counting_all after update of rounds on durably_counting
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
end;

create trigger durably_counting_on after update of up_to on durably_counting
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
end;

-- With a run, the journal loses what it would have added later. That is added here, and the run is subtracted.
create trigger durably_runs_uncounted before delete on durably_runs
when exists (select 1 from durably_counting where id = 1 and up_to is not null)
begin
  insert into durably_counts (job_name, active, completed, failed, cancelled)
  select old.job_name, coalesce(sum(c.active), 0), coalesce(sum(c.completed), 0) - (old.status = 'completed'),
    coalesce(sum(c.failed), 0) - (old.status = 'failed'), coalesce(sum(c.cancelled), 0) - (old.status = 'cancelled')
  from durably_counted c
  where c.run_id = old.id and c.sequence > (select up_to from durably_counting where id = 1)
  on conflict (job_name) do update set
    active = active + excluded.active, completed = completed + excluded.completed,
    failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled;
end;
