-- Schedules: when runs of a job are triggered by the workers themselves.

create table durably_schedules (
  id text primary key,
  job_name text not null,
  -- Another one after each change: a firing that was planned by an older one does nothing.
  revision text not null,
  -- JSON text: the rule of its slots, as it was given. As long as it stays the same, so does next_at.
  timing text not null,
  -- Where the slots of a fixed interval are counted from.
  anchor_at integer not null,
  -- The next slot; null: there is none any more. Only a firing and a change of the rule move it.
  next_at integer,
  paused_at integer,
  -- The version of the job whose definition has the schedule; null: a caller has put it.
  fixed_version integer,
  -- skip, once or all.
  missed text not null,
  -- allow, skip or cancel.
  overlap text not null,
  -- Of its runs, like the columns of durably_runs.
  priority integer not null default 0,
  limit_key text,
  rate_key text,
  created_at integer not null default (cast(unixepoch('subsec') * 1000 as integer)),
  updated_at integer not null default (cast(unixepoch('subsec') * 1000 as integer)),
  -- JSON texts.
  labels text,
  payload text not null
) strict;

create index durably_schedules_due on durably_schedules (job_name, next_at) where paused_at is null;

create index durably_runs_by_schedule on durably_runs (schedule_id, status) where schedule_id is not null;

-- A firing is stored through this view: it makes the runs of the slots that have come, and moves the schedule on.
create view durably_firings as
select
  id as schedule_id, next_at,
  -- A JSON array: for each run its id and its slot.
  '[]' as runs
from durably_schedules;

create trigger durably_firings_stored instead of insert on durably_firings
begin
  insert into durably_runs (
    id, job_name, payload, labels, priority, schedule_id, scheduled_for, limit_key, rate_key, key_turn
  )
  select
    f.value->>0, s.job_name, s.payload, s.labels, s.priority, s.id, f.value->>1, s.limit_key, s.rate_key,
    iif(coalesce(s.limit_key, s.rate_key) is null, 1, 3)
  from durably_schedules s cross join json_each(new.runs) f
  where s.id = new.schedule_id and (s.overlap <> 'skip' or not exists (
    select 1 from durably_runs o indexed by durably_runs_by_schedule
    where o.schedule_id = new.schedule_id and o.status in ('pending', 'waiting', 'running')
  ));
  update durably_schedules set next_at = new.next_at where id = new.schedule_id;
end;
