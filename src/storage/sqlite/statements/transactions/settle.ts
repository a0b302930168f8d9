import type { AppendId, SettledAppend } from '../../../../core/ownership/step-transaction.ts';
import type { Rows, WriteKind } from '../../../writes.ts';
import { PLACES } from '../places.ts';
import { isFrom } from '../transitions.ts';

/** It changes nothing. It is a write, so it is executed when the transaction that is asked about has ended. */
const SETTLE = `
update durably_runs set append_count = append_count
where id = ?1 and fence = ?2
returning append_count as appended, ${isFrom('complete')} as is_held`;

/** Asks what became of appends in transactions. */
export const settlements: WriteKind<AppendId, SettledAppend> = {
  name: 'settle',
  place: PLACES.append,
  sizeOf: () => ({ rows: 1, chars: 0 }),
  compile: (members) => ({
    statements: members.map(({ lease: { runId, fence } }) => ({ sql: SETTLE, parameters: [runId, fence] })),
    decode: (answers) => members.map((append, i) => settledBy(answers[i] ?? [], append)),
  }),
};

function settledBy([row]: Rows, { number }: AppendId): SettledAppend {
  if (row === undefined) return 'refused';
  if (Number(row.appended) >= number) return 'stored';
  return row.is_held ? 'not-stored' : 'refused';
}
