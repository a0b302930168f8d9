-- What webhooks need. It is added by the first process that is given some: SQLite prepares the trigger with each statement that
-- may end a run, and who has no webhooks shall not pay for that.

-- One row: who wants to hear of ends. Addresses and secrets are not in the database.
create table if not exists durably_webhooks (
  id integer primary key check (id = 1),
  -- A JSON array of { id, host, events, jobs }. Null in place of the names of jobs means all.
  endpoints text not null
) strict;

-- To remove old deliveries.
create index if not exists durably_runs_delivered on durably_runs (completed_at)
  where job_name = 'durably:webhook' and completed_at is not null;

-- The end of a run, however it ends, stores its deliveries in the same statement.
create trigger if not exists durably_runs_announced after update of completed_at on durably_runs
when new.completed_at is not null and old.completed_at is null and new.job_name <> 'durably:webhook'
begin
  insert into durably_runs (id, job_name, payload)
  select 'msg_' || lower(hex(randomblob(12))), 'durably:webhook', json_object(
    'event', 'run.' || new.status, 'runId', new.id, 'jobName', new.job_name, 'attempt', new.attempt,
    'endedAt', new.completed_at, 'endpoint', t.endpoint, 'host', t.host, 'url', t.url
  )
  from (
    select e.value->>'id' as endpoint, e.value->>'host' as host, null as url,
      e.value->'events' as events, e.value->'jobs' as jobs
    from durably_webhooks w cross join json_each(w.endpoints) e
    where w.id = 1
    union all
    select null, r.value->>'host', r.value->>'url', r.value->'events', null
    from json_each(new.plugin_data) r
    where r.key = 'durably:webhook'
  ) t
  where exists (select 1 from json_each(t.events) v where v.value = 'run.' || new.status)
    and (t.jobs is null or t.jobs = 'null' or exists (
      select 1 from json_each(t.jobs) j where j.value = new.job_name
    ));
end;
