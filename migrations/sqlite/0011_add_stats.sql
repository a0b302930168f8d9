-- How often runs were started and how they ended, by minute, hour and day, and which workers there are.

create table durably_stats_spans (
  -- The length of a bucket.
  span_ms integer primary key,
  -- How long its buckets are kept.
  kept_ms integer not null
) strict;

insert into durably_stats_spans (span_ms, kept_ms)
values (60000, 172800000), (3600000, 3024000000), (86400000, 34560000000);

create table durably_stats (
  span_ms integer not null,
  -- When the bucket begins.
  at integer not null,
  job_name text not null,
  started integer not null,
  completed integer not null,
  failed integer not null,
  cancelled integer not null,
  -- JSON text: how many runs took how long. Its keys are the bins of durably_stat_events.
  durations text not null,
  primary key (span_ms, at, job_name)
) strict, without rowid;

create index durably_stats_by_job on durably_stats (job_name, span_ms, at);

-- Up to which row of the journal events are in durably_stats. Raised to add a portion.
create table durably_stats_place (
  id integer primary key check (id = 1),
  up_to integer not null
) strict;

insert into durably_stats_place (id, up_to) values (1, 0);

-- The rows of the journal that count. The events of a deleted run are missing: its deletion has added them.
-- The bin of a duration is its first two digits, and a hundred for each digit after them. 1234 ms is in the bin 212: from 1200 to
-- 1299 ms. Cancelled runs have no duration, and neither have runs that a caller has retried, because the time before counts along.
create view durably_stat_events as
select e.sequence, e.run_id, e.job_name, e.created_at, e.started, e.completed, e.failed, e.cancelled,
  case
    when e.took_ms < 0 then null
    when e.took_ms < 100 then e.took_ms
    else (length(e.took_ms) - 2) * 100 + substr(e.took_ms, 1, 2)
  end as bin
from (
  select j.sequence, j.run_id, j.job_name, j.created_at,
    j.type = 'run:start' as started, j.type = 'run:complete' as completed,
    j.type = 'run:fail' as failed, j.type = 'run:cancel' as cancelled,
    iif(j.type in ('run:complete', 'run:fail') and r.last_command is not 'retry', j.created_at - r.started_at, null) as took_ms
  from durably_journal j cross join durably_runs r on r.id = j.run_id
  where j.type in ('run:start', 'run:complete', 'run:fail', 'run:cancel')
) e;

-- What is inserted here is added to the buckets.
create view durably_stats_added as
select span_ms, at, job_name, started, completed, failed, cancelled, durations from durably_stats;

create trigger durably_stats_add instead of insert on durably_stats_added
begin
  insert into durably_stats (span_ms, at, job_name, started, completed, failed, cancelled, durations)
  values (
    new.span_ms, new.at, new.job_name, new.started, new.completed, new.failed, new.cancelled, new.durations
  )
  on conflict (span_ms, at, job_name) do update set
    started = started + excluded.started, completed = completed + excluded.completed,
    failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled,
    durations = (
      select json_group_object(b.bin, b.runs) from (
        select k.key as bin, sum(k.value) as runs from (
          select o.key, o.value from json_each(durations) o
          union all
          select n.key, n.value from json_each(new.durations) n
        ) k group by k.key
      ) b
    );
end;

-- A portion of the events is added, and a portion of the old buckets removed.
create trigger durably_stats_fold after update of up_to on durably_stats_place
when new.up_to > old.up_to
begin
  insert into durably_stats_added (span_ms, at, job_name, started, completed, failed, cancelled, durations)
  select s.span_ms, s.at, s.job_name, sum(s.started), sum(s.completed), sum(s.failed), sum(s.cancelled),
    json_group_object(s.bin, s.runs) filter (where s.bin is not null)
  from (
    select p.span_ms, m.minute_at - m.minute_at % p.span_ms as at, m.job_name, m.bin, sum(m.runs) as runs,
      sum(m.started) as started, sum(m.completed) as completed, sum(m.failed) as failed, sum(m.cancelled) as cancelled
    from (
      select e.created_at - e.created_at % 60000 as minute_at, e.job_name, e.bin, count(*) as runs,
        sum(e.started) as started, sum(e.completed) as completed, sum(e.failed) as failed, sum(e.cancelled) as cancelled
      from durably_stat_events e
      where e.sequence > old.up_to and e.sequence <= new.up_to
      group by 1, 2, 3
    ) m cross join durably_stats_spans p
    where m.minute_at >= cast(unixepoch('subsec') * 1000 as integer) - p.kept_ms
    group by 1, 2, 3, 4
  ) s
  group by 1, 2, 3;
  delete from durably_stats where (span_ms, at, job_name) in (
    select o.span_ms, o.at, o.job_name
    from durably_stats_spans p cross join durably_stats o
    where o.span_ms = p.span_ms and o.at < cast(unixepoch('subsec') * 1000 as integer) - p.kept_ms - p.span_ms
    limit 1000
  );
end;

-- With a run, the journal loses its events. Those that were not added yet are added before.
create trigger durably_runs_folded before delete on durably_runs
begin
  insert into durably_stats_added (span_ms, at, job_name, started, completed, failed, cancelled, durations)
  select s.span_ms, s.at, s.job_name, sum(s.started), sum(s.completed), sum(s.failed), sum(s.cancelled),
    json_group_object(s.bin, s.runs) filter (where s.bin is not null)
  from (
    select p.span_ms, m.minute_at - m.minute_at % p.span_ms as at, m.job_name, m.bin, sum(m.runs) as runs,
      sum(m.started) as started, sum(m.completed) as completed, sum(m.failed) as failed, sum(m.cancelled) as cancelled
    from (
      select e.created_at - e.created_at % 60000 as minute_at, e.job_name, e.bin, count(*) as runs,
        sum(e.started) as started, sum(e.completed) as completed, sum(e.failed) as failed, sum(e.cancelled) as cancelled
      from durably_stat_events e
      where e.run_id = old.id and e.sequence > (select up_to from durably_stats_place where id = 1)
      group by 1, 2, 3
    ) m cross join durably_stats_spans p
    where m.minute_at >= cast(unixepoch('subsec') * 1000 as integer) - p.kept_ms
    group by 1, 2, 3, 4
  ) s
  group by 1, 2, 3;
end;

-- The workers that are there, as they say now and then.
create table durably_workers (
  id text primary key,
  version text not null,
  slots integer not null,
  running integer not null,
  started_at integer not null default (cast(unixepoch('subsec') * 1000 as integer)),
  seen_at integer not null default (cast(unixepoch('subsec') * 1000 as integer)),
  -- JSON text: the names of the jobs that it knows.
  jobs text not null
) strict, without rowid;

-- Those that have not been seen for an hour go when another one comes.
create trigger durably_workers_forgotten after insert on durably_workers
begin
  delete from durably_workers where seen_at < new.seen_at - 3600000;
end;
