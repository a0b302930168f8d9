-- Runs that begin in the middle of another one.

alter table durably_runs add column forked_from text;

-- A run that was triggered for later, by another run, or from the middle of another run, says so.
drop trigger durably_runs_triggered;
create trigger durably_runs_triggered after insert on durably_runs
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
end;

-- A fork is stored through this view: the run, and copies of the finished steps before the one from which it goes on.
create view durably_forks as
select id, job_name, payload, concurrency_key, labels, forked_from, 0 as from_index from durably_runs;

create trigger durably_forks_stored instead of insert on durably_forks
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
end;
