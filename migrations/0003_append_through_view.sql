-- Owners append through a view, whose triggers journal and project. Triggers on
-- the journal itself were prepared with every statement that journals anything,
-- a new run's and a claim's among them, though they had nothing to do there.

drop trigger durably_journal_step;
drop trigger durably_journal_progress;
drop trigger durably_journal_flush;
drop trigger durably_journal_run;

-- A process from before appends to the journal itself, and nobody would project
-- what it appends: it is refused. (To rename the column would cost nothing, but
-- fail where some other view or trigger of the database is broken.)
create trigger durably_journal_guarded before insert on durably_journal
when new.append_no is not null
begin
  select raise(abort, 'a durably of an earlier version cannot append to this database');
end;

create view durably_appends as
select
  run_id, job_name, type, created_at, attempt, step_name, step_index, level, message, duration_ms, data,
  -- On the last row of each append: 1, 2, … within the attempt.
  append_no
from durably_journal;

-- Each trigger costs each row a little, whether it has to do with it or not.

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
    -- A failed step runs again on each attempt: only a completed one is progress.
    lost_count = case new.type when 'step:complete' then 0 else lost_count end,
    append_count = coalesce(new.append_no, append_count), updated_at = new.created_at
  where id = new.run_id;
end;

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
end;

-- Of telemetry, what changes the run: its progress, and the last row of an append without an outcome.
create trigger durably_appends_run instead of insert on durably_appends
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
end;
