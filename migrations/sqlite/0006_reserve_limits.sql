-- The place of another migration.
drop index if exists durably_reserved;
