-- Runs below a run are cancelled in portions.

-- Where the next portion begins: the runs below it with this seq and later ones are yet to be visited. 0: none are.
drop index durably_runs_cancelling;
create index durably_runs_cancelling on durably_runs (cancels_below) where cancels_below > 0;
