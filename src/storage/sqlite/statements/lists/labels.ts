import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { RunQuery } from '../../../../core/lists/run-query.ts';

/** SQL: whether a run has a label. It is one lookup by key. */
export function hasLabel(
  [key, value]: RunQuery['labels'][number],
  runSeq: RawBuilder<unknown>,
): RawBuilder<SqlBool> {
  return sql<SqlBool>`exists (
    select 1 from durably_labels as o where o.key = ${key} and o.value = ${value} and o.run_seq = ${runSeq}
  )`;
}
