-- What triggers need that look for a run that waits already. It is added when one is used for the first time.
create index if not exists durably_runs_waiting_by_key on durably_runs (concurrency_key, job_name)
  where status = 'waiting' and concurrency_key is not null;
create index if not exists durably_runs_debounced_by on durably_runs (debounced_by) where debounced_by is not null;
create index if not exists durably_runs_debounced_by_key on durably_runs (job_name, debounce_key)
  where status = 'waiting' and debounce_key is not null;
