-- Signals to a run, and runs that a run starts.

-- What was told to a run. Each signal is taken by one step, in the statement that stores the step.
create table durably_signals (
  -- The order in which they came.
  seq integer primary key,
  -- Made for each sending: tells a signal that was stored by it from one that was there before.
  id text not null,
  run_id text not null,
  name text not null,
  -- A signal with the same one changes nothing: the sender's own, or its id.
  signal_id text not null,
  is_taken integer not null default 0,
  created_at integer not null default (cast(unixepoch('subsec') * 1000 as integer)),
  -- JSON text.
  payload text not null
) strict;

create unique index durably_signals_by_id on durably_signals (run_id, signal_id);
create index durably_signals_untaken on durably_signals (run_id) where is_taken = 0;

-- How many runs are above a run: the one that started it, the one that started that, …
alter table durably_runs add column depth integer not null default 0;
create index durably_runs_by_parent on durably_runs (parent_run_id) where parent_run_id is not null;

-- 1: the time of the run was up, and the active runs below it are yet to be cancelled.
alter table durably_runs add column cancels_below integer not null default 0;
create index durably_runs_cancelling on durably_runs (id) where cancels_below = 1;

-- The run that an invoking step has started.
alter table durably_steps add column child_run_id text;

-- A signal wakes a run that waits for its name.
create trigger durably_signals_sent after insert on durably_signals
begin
  insert into durably_journal (run_id, job_name, type, created_at, message, data)
  select r.id, r.job_name, 'run:signal', new.created_at, new.name, new.payload
  from durably_runs r where r.id = new.run_id;
  update durably_runs set status = 'pending', due_at = null, waits = null, updated_at = new.created_at
  where id = new.run_id and status = 'waiting'
    and exists (select 1 from json_each(waits) w where w.value->>'signal' = new.name);
end;

-- The end of a run wakes the run that waits for it.
create trigger durably_runs_ended after update of completed_at on durably_runs
when new.completed_at is not null and new.parent_run_id is not null
begin
  update durably_runs set status = 'pending', due_at = null, waits = null, updated_at = new.updated_at
  where id = new.parent_run_id and status = 'waiting'
    and exists (select 1 from json_each(waits) w where w.value->>'runId' = new.id);
end;

-- A run that was triggered for later, or by another run, says so.
drop trigger durably_runs_triggered;
create trigger durably_runs_triggered after insert on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, created_at, data)
  values (
    new.id, new.job_name, 'run:trigger', new.created_at,
    iif(new.due_at is null and new.parent_run_id is null, null, json_patch('{}', json_object(
      'runAt', strftime('%Y-%m-%dT%H:%M:%fZ', new.due_at / 1000.0, 'unixepoch'),
      'parentRunId', new.parent_run_id
    )))
  );
end;

-- A retry by hand gives a step that is to be tried again all its tries, and a step whose run did not complete another run.
drop trigger durably_runs_commanded;
create trigger durably_runs_commanded after update of last_command on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, created_at)
  values (new.id, new.job_name, 'run:' || new.last_command, new.updated_at);
  delete from durably_steps
  where run_id = new.id and status = 'open' and new.last_command = 'retry' and (
    kind = 'run' or (kind = 'invoke' and not exists (
      select 1 from durably_runs c where c.id = child_run_id and c.status not in ('failed', 'cancelled')
    ))
  );
end;

-- A run's owner appends through three views, for SQLite prepares all triggers of a view with each statement that inserts into
-- it. The first takes what comes often: outcomes of steps, and telemetry.
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
end;

drop trigger durably_appends_waited;
drop trigger durably_appends_run;
create trigger durably_appends_run instead of insert on durably_appends
when new.type not in ('step:complete', 'step:fail') and (new.append_no is not null or new.type = 'run:progress')
begin
  update durably_runs set
    append_count = coalesce(new.append_no, append_count),
    progress = case new.type when 'run:progress' then new.data else progress end,
    updated_at = case new.type when 'run:progress' then new.created_at else updated_at end
  where id = new.run_id;
end;

-- The second takes the end of a run, and log lines before it.
create view durably_endings as select * from durably_appends;

create trigger durably_endings_any instead of insert on durably_endings
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
    -- Where log lines have their level, an end says that the time was up.
    cancels_below = new.level is 'timeout',
    completed_at = new.created_at, updated_at = new.created_at
  where id = new.run_id and new.type in ('run:complete', 'run:fail');
end;

-- The third takes everything: besides, steps that wait, are tried again, take a signal or start a run, and the waits of runs.
create view durably_all_appends as
select
  run_id, job_name, type, created_at, attempt, step_name, step_index, level, message, duration_ms, data, append_no,
  -- The signal that the step takes.
  null as signal_seq,
  -- JSON text: the run that the step starts. Its payload is the data.
  null as child
from durably_appends;

create trigger durably_all_appends_usual instead of insert on durably_all_appends
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
end;

-- A step is open when it waits, or was tried and is to be tried again. An outcome closes it.
create trigger durably_all_appends_open instead of insert on durably_all_appends
when new.child is null and (new.type = 'step:retry' or (new.type = 'step:start' and new.data is not null))
begin
  insert into durably_journal (
    run_id, job_name, type, created_at, attempt, step_name, step_index, message, data
  )
  values (
    new.run_id, new.job_name, new.type, new.created_at, new.attempt, new.step_name, new.step_index,
    new.message, new.data
  );
  -- A step that waits begins with its kind, and when its wait is over. The first beginning fixes that.
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
end;

create trigger durably_all_appends_end instead of insert on durably_all_appends
when new.type in ('run:complete', 'run:fail')
begin
  insert into durably_endings (
    run_id, job_name, type, created_at, attempt, step_name, level, message, duration_ms, data, append_no
  )
  values (
    new.run_id, new.job_name, new.type, new.created_at, new.attempt, new.step_name, new.level, new.message,
    new.duration_ms, new.data, new.append_no
  );
end;

-- A retry of the job opens an attempt; a run that waits goes on with its own.
-- What the run waits for may have come already: then it is pending at once.
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
end;

-- A deleted run's signals go with its other rows, in portions of the same size.
drop trigger durably_deletions_portion;
create trigger durably_deletions_portion after update of portions on durably_deletions
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
end;
