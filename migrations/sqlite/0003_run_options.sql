-- What a trigger and a job say about a run: its priority, its version, and when it fails for want of time.

-- Of the job with which the run first started; null before that.
alter table durably_runs add column version integer;
-- How long the run may be due without being started, and how long it may take from its start to its
-- end: in ms, and as it was given, for the error. The run keeps the timeout of its first start.
alter table durably_runs add column ttl_ms integer;
alter table durably_runs add column ttl text;
alter table durably_runs add column timeout_ms integer;
alter table durably_runs add column timeout text;
-- When the run fails by the first of these, while it was never started, or by the second.
alter table durably_runs add column deadline_at integer;
-- The fence of the owner that put the run to wait last, for one whose answer was lost.
alter table durably_runs add column waited_fence integer;

create index durably_runs_deadlines on durably_runs (deadline_at)
  where status in ('pending', 'waiting', 'running') and deadline_at is not null;

-- The order of claims: higher priorities first, then the order of insertion.
drop index durably_runs_claimable;
create index durably_runs_claimable on durably_runs (job_name, priority desc)
  where status = 'pending' and key_turn = 1;
drop index durably_runs_waiting_key;
create index durably_runs_waiting_key on durably_runs (concurrency_key, job_name, priority desc)
  where status = 'pending' and concurrency_key is not null;

-- Only the first pending run of a key and job, in the order of claims, has the key's turn. A new run is
-- the last of its priority: it takes the turn from the first one if its own priority is higher.
drop trigger durably_runs_queued;
create trigger durably_runs_queued after insert on durably_runs
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
end;

-- A run that leaves or joins a key's pending runs can only change the turn of the two first ones and its own.
drop trigger durably_runs_turned;
create trigger durably_runs_turned after update of status on durably_runs
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
end;

-- A claim takes runs, and fails those whose workers were lost too often or whose time is up. So does the
-- statement before it, which raises the fence of no other run.
drop trigger durably_runs_claimed;
create trigger durably_runs_claimed after update of fence on durably_runs
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
end;

-- Nothing of an owner is stored after it put its run to wait.
create trigger durably_appends_waited instead of insert on durably_appends
when new.type in ('run:wait', 'run:retry')
begin
  update durably_runs set waited_fence = fence where id = new.run_id;
end;
