-- What limits by key and throttles need. It is added when a job with limits is used for the first time: SQLite prepares these
-- triggers and indexes with each statement that changes a status, and who has no limits shall not pay for that.

-- A line: the pending runs of a job that share their limit key, or, if they have none, the key of their throttle. Only the
-- first runs of lines are looked at by claims, and only those of lines that seem to be open. What is here is found again from
-- the runs: a claim first looks at the lines that are stale, and decides by the runs themselves.
create table if not exists durably_lines (
  id integer primary key,
  job_name text not null,
  -- Empty without.
  limit_key text not null,
  -- Of a line without a limit key; else empty.
  rate_key text not null,
  -- The throttle's key that all of its runs pass; null: they pass none, or several ones.
  common_rate text,
  -- The throttle that all of its runs pass is that of the whole job.
  is_whole integer generated always as (common_rate is '*') virtual,
  is_stale integer not null default 1,
  -- How many runs have a place of its limit key.
  active integer not null default 0,
  -- Its first pending run, in the order of claims; null if it has none.
  head_priority integer,
  head_seq integer,
  -- Until when the throttle that all of its runs pass is closed; null: it is open.
  opens_at integer
) strict;

create unique index if not exists durably_lines_by_keys on durably_lines (job_name, limit_key, rate_key);
create index if not exists durably_lines_stale on durably_lines (job_name) where is_stale = 1;
create index if not exists durably_lines_closed on durably_lines (job_name, opens_at) where opens_at is not null;
create index if not exists durably_lines_open on durably_lines (job_name, is_whole, active, head_priority desc, head_seq)
  where head_seq is not null and opens_at is null;

create trigger if not exists durably_lines_emptied after update of head_seq on durably_lines
when new.head_seq is null
begin
  delete from durably_lines where id = new.id;
end;

-- Throttles, by the generic cell rate algorithm: when a burst of starts is used up to its end, as a time in ms.
create table if not exists durably_rates (
  job_name text not null,
  -- Like the rate_key of runs.
  key text not null,
  full_at real not null,
  primary key (job_name, key)
) strict, without rowid;

-- To remove those that are over.
create index if not exists durably_rates_by_end on durably_rates (full_at);

-- The runs of a line, and those of them whose turn it is at their concurrency key.
create index if not exists durably_runs_in_line
  on durably_runs (job_name, limit_key, iif(limit_key is null, rate_key, null), priority desc)
  where status = 'pending' and key_turn >= 2;
create index if not exists durably_runs_first_in_line
  on durably_runs (job_name, limit_key, iif(limit_key is null, rate_key, null), priority desc)
  where status = 'pending' and key_turn = 3;
create index if not exists durably_runs_places on durably_runs (job_name, limit_key)
  where status = 'running' and limit_key is not null;
create index if not exists durably_runs_held on durably_runs (job_name, status, limit_key) where holds = 1;

create trigger if not exists durably_runs_joined after insert on durably_runs
when new.limit_key is not null or new.rate_key is not null
begin
  insert into durably_lines (job_name, limit_key, rate_key, common_rate)
  values (
    new.job_name, coalesce(new.limit_key, ''), iif(new.limit_key is null, new.rate_key, ''), new.rate_key
  )
  on conflict (job_name, limit_key, rate_key) do update set
    is_stale = 1, common_rate = iif(common_rate is excluded.common_rate, common_rate, null);
end;

create trigger if not exists durably_runs_moved after update of status on durably_runs
when (new.limit_key is not null or new.rate_key is not null) and new.status <> old.status
begin
  insert into durably_lines (job_name, limit_key, rate_key, common_rate)
  values (
    new.job_name, coalesce(new.limit_key, ''), iif(new.limit_key is null, new.rate_key, ''),
    iif(new.claim_kind = 'start' or new.limit_key is null, new.rate_key, null)
  )
  on conflict (job_name, limit_key, rate_key) do update set
    is_stale = 1,
    -- A run that leaves the line has passed the same throttle as before.
    common_rate = iif(new.status <> 'pending' or common_rate is excluded.common_rate, common_rate, null);
end;

-- A start takes its part of the throttle.
create trigger if not exists durably_runs_rated after update of rate_interval_ms on durably_runs
when new.rate_interval_ms is not null
begin
  insert into durably_rates (job_name, key, full_at)
  values (new.job_name, coalesce(new.rate_key, '*'), new.updated_at + new.rate_interval_ms)
  on conflict (job_name, key) do update set
    -- A time that is too far away is of another throttle, or from before the clock was set back.
    full_at = iif(
      full_at > new.updated_at + new.rate_per_ms + new.rate_interval_ms, new.updated_at, max(full_at, new.updated_at)
    ) + new.rate_interval_ms;
end;

create trigger if not exists durably_runs_released after update of completed_at on durably_runs
when new.holds = 1 and new.completed_at is not null
begin
  update durably_runs set holds = 0 where seq = new.seq;
end;
