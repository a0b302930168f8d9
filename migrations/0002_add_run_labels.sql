-- Labels: what callers file a run under. They never change, so they are kept
-- twice: whole with the run, and one by one for lists.

-- JSON text, an object of strings; null when there are none.
alter table durably_runs add column labels text;

create table durably_labels (
  key text not null,
  value text not null,
  run_seq integer not null,
  primary key (key, value, run_seq)
) strict, without rowid;

create trigger durably_runs_labelled after insert on durably_runs
when new.labels is not null
begin
  insert into durably_labels (key, value, run_seq)
  select l.key, l.value, new.seq from json_each(new.labels) l;
end;

create trigger durably_runs_unlabelled after delete on durably_runs
when old.labels is not null
begin
  delete from durably_labels
  where run_seq = old.seq and (key, value) in (select l.key, l.value from json_each(old.labels) l);
end;

-- A deleted run's labels stay in its run:delete row, for the streams that go by them.
drop trigger durably_runs_deleted;
create trigger durably_runs_deleted after delete on durably_runs
begin
  delete from durably_steps where run_id = old.id;
  delete from durably_journal where run_id = old.id;
  insert into durably_journal (run_id, job_name, type, data)
  values (old.id, old.job_name, 'run:delete', old.labels);
end;
