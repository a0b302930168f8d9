import type { JournalRow } from '../../../core/events.ts';
import type { ListedJournalRow } from '../../../core/store.ts';
import type { Connection } from '../connection/connection.ts';
import { deletedUpTo, LEFT_OVER } from './deletions.ts';
import { inlineValue } from './portions.ts';

// A `run:start` row shows the payload, which is stored only once, in its run.
const DATA = `case j.type when 'run:start' then r.payload else j.data end`;
const DATA_BYTES = `case j.type when 'run:start' then octet_length(r.payload) else octet_length(j.data) end`;
const WITH_PAYLOAD = `left join durably_runs r on r.id = case j.type when 'run:start' then j.run_id end`;

/** Every journal row has its run, except the row that reports the run's deletion. */
const WITH_RUN = `left join durably_runs r on r.id = j.run_id`;
const LABELS = `case j.type when 'run:delete' then j.data else r.labels end`;

/**
 * Stands for the size of rows that a deleted run left over. A column of its own would make every row
 * slower.
 */
const OF_DELETED_RUN = -1;

const COLUMNS = `
j.sequence, j.run_id as runId, j.job_name as jobName, j.type, j.created_at as createdAt, j.attempt,
j.step_name as stepName, j.step_index as stepIndex, j.level, j.message, j.duration_ms as durationMs,
${inlineValue(DATA, DATA_BYTES)} as data,
case when ${LEFT_OVER} then ${OF_DELETED_RUN} else ${DATA_BYTES} end as dataBytes`;

const NEXT_ROWS = `where j.sequence > ? order by j.sequence limit ?`;

const TAIL = `select ${COLUMNS} from durably_journal j ${WITH_PAYLOAD} ${NEXT_ROWS}`;

const TAIL_WITH_LABELS = `
select ${COLUMNS}, ${LABELS} as labels from durably_journal j ${WITH_RUN} ${NEXT_ROWS}`;

const RUN_TAIL = `
select ${COLUMNS} from durably_journal j indexed by durably_journal_by_run ${WITH_PAYLOAD}
where j.run_id = ?1 and j.sequence > max(?2, ${deletedUpTo('?1')}) order by j.sequence limit ?3`;

const HEAD = `select coalesce(max(sequence), 0) as head from durably_journal`;

/** The newest sequence of the journal. 0 if it is empty. */
export async function journalHead(connection: Connection): Promise<number> {
  const [row] = await connection.execute<{ head: number }>({ sql: HEAD, parameters: [] });
  return row?.head ?? 0;
}

/** A page of the journal of all runs, oldest first. */
export async function readJournal(
  connection: Connection,
  { after, limit, withLabels }: { after: number; limit: number; withLabels: boolean },
): Promise<ListedJournalRow[]> {
  const sql = withLabels ? TAIL_WITH_LABELS : TAIL;
  return (await connection.execute<PageRow>({ sql, parameters: [after, limit] })).map(toListed);
}

/** A page of one run's journal, oldest first. */
export async function readRunJournal(
  connection: Connection,
  page: { runId: string; after: number; limit: number },
): Promise<ListedJournalRow[]> {
  const parameters = [page.runId, page.after, page.limit];
  return (await connection.execute<PageRow>({ sql: RUN_TAIL, parameters })).map(toListed);
}

interface PageRow extends JournalRow {
  /** Null without data. {@link OF_DELETED_RUN} for a row that a deleted run left over. */
  readonly dataBytes: number | null;
}

function toListed(row: PageRow): ListedJournalRow {
  const { dataBytes } = row;
  if (dataBytes === OF_DELETED_RUN) {
    return { ...row, data: null, dataBytes: 0, isDataLeft: false, isLeftOver: true };
  }
  const isDataLeft = row.data === null && dataBytes !== null;
  return { ...row, dataBytes: dataBytes ?? 0, isDataLeft, isLeftOver: false };
}

const DATA_OF = `
select j.sequence, ${DATA} as data from durably_journal j ${WITH_PAYLOAD}
where j.sequence in (select value from json_each(?)) and not ${LEFT_OVER}`;

/** The data of rows that a page left out, by sequence. */
export async function readJournalData(
  connection: Connection,
  sequences: readonly number[],
): Promise<ReadonlyMap<number, string | null>> {
  const rows = await connection.execute<Pick<JournalRow, 'sequence' | 'data'>>({
    sql: DATA_OF,
    parameters: [JSON.stringify(sequences)],
  });
  return new Map(rows.map(({ sequence, data }) => [sequence, data]));
}
