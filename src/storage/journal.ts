import type { JournalRow } from '../core/events.ts';
import type { Connection } from './connection.ts';

// A run:start carries the payload, which is kept once, with its run.
const COLUMNS = `
j.sequence, j.run_id as runId, j.job_name as jobName, j.type, j.created_at as createdAt, j.attempt,
j.step_name as stepName, j.step_index as stepIndex, j.level, j.message, j.duration_ms as durationMs,
case j.type when 'run:start' then (select payload from durably_runs r where r.id = j.run_id) else j.data end as data`;

const tail = (columns: string) =>
  `select ${columns} from durably_journal j where j.sequence > ? order by j.sequence limit ?`;

const TAIL = tail(COLUMNS);

/** A row's run is there as long as the row is, but for the row that tells of its deletion. */
const TAIL_WITH_LABELS = tail(`${COLUMNS},
case j.type when 'run:delete' then j.data
  else (select labels from durably_runs r where r.id = j.run_id) end as labels`);

const RUN_TAIL = `
select ${COLUMNS} from durably_journal j indexed by durably_journal_by_run
where j.run_id = ? and j.sequence > ? order by j.sequence limit ?`;

const HEAD = `select coalesce(max(sequence), 0) as head from durably_journal`;

export async function journalHead(connection: Connection): Promise<number> {
  const [row] = await connection.execute<{ head: number }>({ sql: HEAD, parameters: [] });
  return row?.head ?? 0;
}

export function readJournal(
  connection: Connection,
  { after, limit, withLabels }: { after: number; limit: number; withLabels: boolean },
): Promise<JournalRow[]> {
  const sql = withLabels ? TAIL_WITH_LABELS : TAIL;
  return connection.execute<JournalRow>({ sql, parameters: [after, limit] });
}

export function readRunJournal(
  connection: Connection,
  page: { runId: string; after: number; limit: number },
): Promise<JournalRow[]> {
  return connection.execute<JournalRow>({ sql: RUN_TAIL, parameters: [page.runId, page.after, page.limit] });
}
