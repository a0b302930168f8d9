import type { JournalRow } from '../../../core/events.ts';
import type { Freshness, ListedJournalRow, RunJournalPage, Store } from '../../../core/store.ts';
import type { Connection } from '../connection/connection.ts';
import { readAsOf, readExisting } from './current-reads.ts';
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

const HEAD = `select coalesce(max(sequence), 0) as head from durably_journal`;

/** The last row does not belong to the run. It holds the journal's head as its sequence, and no run. */
const RUN_TAIL = `
select sequence, runId, jobName, type, createdAt, attempt, stepName, stepIndex, level, message, durationMs, data, dataBytes
from (
  select ${COLUMNS} from durably_journal j indexed by durably_journal_by_run ${WITH_PAYLOAD}
  where j.run_id = ?1 and j.sequence > max(?2, ${deletedUpTo('?1')}) order by j.sequence limit ?3
)
union all select h.head, '', '', '', 0, null, null, null, null, null, null, null, null from (${HEAD}) h`;

/** The newest sequence of the journal. 0 if it is empty. */
export async function journalHead(
  connection: Connection,
  { asOf }: { readonly asOf?: Freshness } = {},
): Promise<number> {
  const [row] = await readAsOf<{ head: number }>(connection, { sql: HEAD, parameters: [] }, asOf);
  return row?.head ?? 0;
}

/** A page of the journal of all runs, oldest first. */
export async function readJournal(
  connection: Connection,
  { after, limit, withLabels, asOf }: Parameters<Store['readJournal']>[0],
): Promise<ListedJournalRow[]> {
  const sql = withLabels ? TAIL_WITH_LABELS : TAIL;
  return (await readAsOf<PageRow>(connection, { sql, parameters: [after, limit] }, asOf)).map(toListed);
}

/** A page of one run's journal, oldest first. */
export async function readRunJournal(
  connection: Connection,
  { runId, after, limit, asOf }: Parameters<Store['readRunJournal']>[0],
): Promise<RunJournalPage> {
  const parameters = [runId, after, limit];
  const rows = await readAsOf<PageRow>(connection, { sql: RUN_TAIL, parameters }, asOf);
  return { rows: rows.slice(0, -1).map(toListed), head: rows.at(-1)?.sequence ?? after };
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
  const statement = { sql: DATA_OF, parameters: [JSON.stringify(sequences)] };
  const rows = await readExisting<Pick<JournalRow, 'sequence' | 'data'>>(connection, statement, {
    count: sequences.length,
  });
  return new Map(rows.map(({ sequence, data }) => [sequence, data]));
}
