-- Fewer triggers on a run's changes: each is prepared with every claim and every
-- append, which takes longer than what most of them do.

drop trigger durably_runs_started;
drop trigger durably_runs_lost;
create trigger durably_runs_claimed after update of attempt on durably_runs
when new.attempt <> old.attempt
begin
  insert into durably_journal (run_id, job_name, type, created_at, attempt, message)
  values (
    new.id, new.job_name, case new.status when 'failed' then 'run:fail' else 'run:start' end,
    new.updated_at, new.attempt, new.error
  );
end;

drop trigger durably_runs_cancelled;
drop trigger durably_runs_retried;
create trigger durably_runs_commanded after update of status on durably_runs
when new.status = 'cancelled' and old.status <> 'cancelled'
  or new.status = 'pending' and old.status in ('failed', 'cancelled')
begin
  insert into durably_journal (run_id, job_name, type, created_at)
  values (
    new.id, new.job_name, case new.status when 'cancelled' then 'run:cancel' else 'run:retry' end,
    new.updated_at
  );
end;

-- Of a key's pending runs of one job the oldest has the turn. A run that leaves
-- or joins them can only change that of the two oldest and its own.
drop trigger durably_runs_left_queue;
drop trigger durably_runs_requeued;
create trigger durably_runs_turned after update of status on durably_runs
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
end;
