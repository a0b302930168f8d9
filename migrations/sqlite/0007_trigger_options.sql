-- Runs that a trigger finds again: by an idempotency key that counts only for a while, by a concurrency key, by a key of a
-- debounced trigger.

-- A key that no longer counts may be used again: the next run with it is of its next generation.
alter table durably_runs add column key_generation integer not null default 0;
-- When the key no longer counts; null: never.
alter table durably_runs add column idempotency_until integer;
drop index durably_runs_idempotency;
create unique index durably_runs_idempotency on durably_runs (job_name, idempotency_key, key_generation)
  where idempotency_key is not null;

alter table durably_runs add column debounce_key text;
-- The id of the run that the last trigger would have made: sent again, it changes nothing.
alter table durably_runs add column debounced_by text;
-- Raised when a trigger postpones the run and gives it another input.
alter table durably_runs add column debounce_count integer not null default 0;

create trigger durably_runs_debounced after update of debounce_count on durably_runs
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
end;
