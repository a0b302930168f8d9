-- A deleted run may leave more behind than one statement should remove: other
-- writers wait for it. It is gone for readers at once; its steps and its journal
-- go in portions.

create table durably_deletions (
  run_id text primary key,
  -- Its run:delete row: what the journal has of the run before that is left over.
  sequence integer not null,
  -- Raised to remove the next portion. The row goes with the last one.
  portions integer not null default 0
) strict, without rowid;

drop trigger durably_runs_deleted;
create trigger durably_runs_deleted after delete on durably_runs
begin
  insert into durably_journal (run_id, job_name, type, data)
  values (old.id, old.job_name, 'run:delete', old.labels);
  insert into durably_deletions (run_id, sequence) values (old.id, last_insert_rowid())
  on conflict (run_id) do update set sequence = excluded.sequence;
  -- Of most runs the first portion is all there is.
  update durably_deletions set portions = portions + 1 where run_id = old.id;
end;

-- A portion is 500 rows of each, or fewer: it ends with the row that makes it
-- 1 MiB of text. (The freed pages of a large value are walked one by one.)
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
  delete from durably_deletions
  where run_id = new.run_id
    and not exists (
      select 1 from durably_journal j indexed by durably_journal_by_run
      where j.run_id = new.run_id and j.sequence < new.sequence
    )
    and not exists (
      select 1 from durably_steps o where o.run_id = new.run_id and o.sequence < new.sequence
    );
end;
