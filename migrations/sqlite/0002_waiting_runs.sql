-- Runs that wait: for a time, or for another try.

-- Tries of a step that failed and is to be tried again.
alter table durably_steps add column tries integer not null default 0;
-- Of an open step: when its wait is over, or its next try is due.
alter table durably_steps add column due_at integer;

-- Tries of the job that failed and were followed by a retry of its own, since the run was triggered or retried by hand.
alter table durably_runs add column retry_count integer not null default 0;

create index durably_runs_due on durably_runs (due_at) where status = 'waiting';

-- A run that is triggered for later says when.
drop trigger durably_runs_triggered;
create trigger durably_runs_triggered after insert on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, created_at, data)
  values (
    new.id, new.job_name, 'run:trigger', new.created_at,
    iif(new.due_at is null, null, json_object('runAt', strftime('%Y-%m-%dT%H:%M:%fZ', new.due_at / 1000.0, 'unixepoch')))
  );
end;

-- A retry by hand gives a step that is to be tried again all its tries.
drop trigger durably_runs_commanded;
create trigger durably_runs_commanded after update of last_command on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, created_at)
  values (new.id, new.job_name, 'run:' || new.last_command, new.updated_at);
  delete from durably_steps
  where run_id = new.id and status = 'open' and kind = 'run' and new.last_command = 'retry';
end;

-- A step is open when it waits, or was tried and is to be tried again. An outcome closes it.
drop trigger durably_appends_step;
create trigger durably_appends_step instead of insert on durably_appends
when new.type in ('step:complete', 'step:fail')
begin
  insert into durably_journal (
    run_id, job_name, type, created_at, attempt, step_name, step_index, message, duration_ms, data
  )
  values (
    new.run_id, new.job_name, new.type, new.created_at, new.attempt, new.step_name, new.step_index,
    new.message, new.duration_ms, new.data
  );
  -- Where log lines have their level, a step has its kind, unless it is the usual one.
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
    -- A failed step runs again on each attempt: only a completed one is progress.
    lost_count = case new.type when 'step:complete' then 0 else lost_count end,
    append_count = coalesce(new.append_no, append_count), updated_at = new.created_at
  where id = new.run_id;
end;

drop trigger durably_appends_other;
create trigger durably_appends_other instead of insert on durably_appends
when new.type not in ('step:complete', 'step:fail')
begin
  insert into durably_journal (
    run_id, job_name, type, created_at, attempt, step_name, step_index, level, message, duration_ms, data
  )
  values (
    new.run_id, new.job_name, new.type, new.created_at, new.attempt, new.step_name, new.step_index,
    new.level, new.message, new.duration_ms, new.data
  );
  -- A step that waits begins with data: its kind, and when its wait is over. The first beginning fixes that.
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
end;

-- The run's end, its waits and its progress. Other telemetry changes the run only with the last row of an append.
drop trigger durably_appends_run;
create trigger durably_appends_run instead of insert on durably_appends
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
  -- A retry of the job opens an attempt; a run that waits goes on with its own.
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
end;
