-- What is kept of the error that failed a run, and of the step that failed it.
-- Those of a step stand in its step:fail row, as its result would.

-- JSON text.
alter table durably_runs add column error_detail text;
-- Null of a run that failed because its workers were lost, or before this migration.
alter table durably_runs add column failed_step_name text;
-- 1: the last claim took the run from a worker that had vanished.
alter table durably_runs add column taken_over integer not null default 0;

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
  update durably_runs set
    append_count = coalesce(new.append_no, append_count),
    progress = case new.type when 'run:progress' then new.data else progress end,
    updated_at = case new.type when 'run:progress' then new.created_at else updated_at end
  where id = new.run_id and new.type not in ('run:complete', 'run:fail');
end;
