-- A debounced trigger gives its input to the run that it finds. What that run's idempotency key stands for stays the input
-- with which the key came.

-- JSON text; null: that is the payload.
alter table durably_runs add column keyed_payload text;
