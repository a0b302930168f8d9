-- What plugins keep with a run, by their names: a JSON object. Null without. No list shows it.
alter table durably_runs add column plugin_data text;

-- When its delay was over. Null without one.
alter table durably_runs add column due_since integer;

drop trigger durably_all_appends_child;
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
    priority, ttl_ms, ttl, timeout_ms, timeout, deadline_at, limit_key, rate_key, key_turn, plugin_data
  )
  select
    new.child->>'id', new.child->>'jobName', new.data, new.child->>'concurrencyKey', new.child->>'labels',
    p.id, p.depth + 1, iif(c.due_at is null, 'pending', 'waiting'), c.due_at,
    iif(c.due_at is null, null, json_array(json_object(
      'kind', 'delay', 'stepName', null,
      'until', strftime('%Y-%m-%dT%H:%M:%fZ', c.due_at / 1000.0, 'unixepoch')
    ))),
    coalesce(new.child->>'priority', 0), new.child->>'ttlMs', new.child->>'ttl',
    new.child->>'timeoutMs', new.child->>'timeout', coalesce(c.due_at, new.created_at) + (new.child->>'ttlMs'),
    new.child->>'limitKey', new.child->>'rateKey',
    iif(coalesce(new.child->>'limitKey', new.child->>'rateKey') is null, 1, 3), new.child->>'pluginData'
  from durably_runs p, (
    select iif(d.at > new.created_at, d.at, null) as due_at from (
      select coalesce(new.child->>'atMs', new.created_at + (new.child->>'afterMs')) as at
    ) d
  ) c
  where p.id = new.run_id;
  update durably_runs set append_count = coalesce(new.append_no, append_count) where id = new.run_id;
end;

drop view durably_forks;
create view durably_forks as
select
  id, job_name, payload, concurrency_key, labels, forked_from, limit_key, rate_key, plugin_data, 0 as from_index
from durably_runs;

create trigger durably_forks_stored instead of insert on durably_forks
begin
  insert into durably_runs (id, job_name, payload, concurrency_key, labels, forked_from, limit_key, rate_key, key_turn, plugin_data)
  values (
    new.id, new.job_name, new.payload, new.concurrency_key, new.labels, new.forked_from, new.limit_key, new.rate_key,
    iif(coalesce(new.limit_key, new.rate_key) is null, 1, 3), new.plugin_data
  );
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
