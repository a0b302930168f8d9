import { toIsoTime } from '../core/clock.ts';
import type { ErrorDetail } from '../core/error-detail.ts';
import { decodeJson } from '../core/json.ts';
import { JsonText } from '../core/json-text.ts';
import type { StoredRun } from '../core/run.ts';
import type { LogLevel, StoredLogLine, StoredStep } from '../core/step.ts';
import type { LogPage } from '../core/store.ts';
import type { Connection } from './connection.ts';
import { existingRun } from './deletions.ts';
import { readJournalData } from './journal.ts';
import { inlineValue, inPortions, type Listed, PAGE_ROWS } from './portions.ts';
import { RUN_COLUMNS, toRun } from './rows.ts';

export async function getRun(connection: Connection, runId: string): Promise<StoredRun | null> {
  const [row] = await connection.query(
    connection.db.selectFrom('durably_runs').select(RUN_COLUMNS).where('id', '=', runId).compile(),
  );
  return row ? toRun(row) : null;
}

const DATA_BYTES = 'octet_length(j.data)';
const DATA = `${inlineValue('j.data', DATA_BYTES)} as data, ${DATA_BYTES} as data_bytes`;

/** A journal row with its data, if that is small. */
interface DataRow {
  readonly sequence: number;
  readonly data: string | null;
  readonly data_bytes: number | null;
}

/** The rows of a page with all their data, in portions. */
function withData<R extends DataRow>(
  connection: Connection,
  rows: readonly R[],
): AsyncGenerator<readonly R[]> {
  const page = rows.map(
    (row): Listed<R> => ({
      key: row.sequence,
      row,
      bytes: row.data_bytes ?? 0,
      isWhole: row.data !== null || row.data_bytes === null,
    }),
  );
  return inPortions(page, async (cut) => {
    const data = await readJournalData(
      connection,
      cut.map(({ key }) => key),
    );
    return new Map(
      cut.flatMap(({ key, row }) => (data.has(key) ? [[key, { ...row, data: data.get(key) ?? null }]] : [])),
    );
  });
}

interface StepRow extends DataRow {
  readonly name: string;
  readonly step_index: number;
  readonly status: 'completed' | 'failed';
  readonly message: string | null;
  readonly created_at: number;
  readonly duration_ms: number | null;
}

const STEPS = `
select s.name, s.step_index, s.status, s.sequence, j.message, j.created_at, j.duration_ms, ${DATA}
from (
  select name, step_index, status, sequence from durably_steps
  where run_id = ${existingRun('?1')} and (step_index, name) > (?2, ?3)
  order by step_index, name limit ${PAGE_ROWS}
) s cross join durably_journal j on j.sequence = s.sequence
order by s.step_index, s.name`;

export async function* listSteps(
  connection: Connection,
  runId: string,
): AsyncGenerator<readonly StoredStep[]> {
  let last: Pick<StepRow, 'step_index' | 'name'> | undefined = { step_index: -1, name: '' };
  while (last !== undefined) {
    const rows: StepRow[] = await connection.execute<StepRow>({
      sql: STEPS,
      parameters: [runId, last.step_index, last.name],
    });
    for await (const portion of withData(connection, rows)) yield portion.map(toStep);
    last = rows.length === PAGE_ROWS ? rows.at(-1) : undefined;
  }
}

function toStep(row: StepRow): StoredStep {
  return {
    name: row.name,
    index: row.step_index,
    status: row.status,
    output: row.status === 'completed' ? JsonText.of(row.data) : null,
    error: row.message,
    errorDetail: row.status === 'failed' ? ((decodeJson(row.data) ?? null) as ErrorDetail | null) : null,
    startedAt: toIsoTime(row.created_at - (row.duration_ms ?? 0)),
    completedAt: toIsoTime(row.created_at),
  };
}

interface LogRow extends DataRow {
  readonly step_name: string | null;
  readonly level: LogLevel | null;
  readonly message: string | null;
  readonly created_at: number;
}

const LOGS = `
select j.sequence, j.step_name, j.level, j.message, j.created_at, ${DATA}
from durably_journal j indexed by durably_journal_logs
where j.run_id = ${existingRun('?1')} and j.type = 'log:write' and j.sequence > ?2 and (?3 = '' or j.level = ?3)
order by j.sequence limit ?4`;

export async function* listLogs(
  connection: Connection,
  { runId, level, after, limit }: LogPage,
): AsyncGenerator<readonly StoredLogLine[]> {
  let place = after;
  for (let left = limit; left > 0; ) {
    const pageRows = Math.min(left, PAGE_ROWS);
    const rows = await connection.execute<LogRow>({
      sql: LOGS,
      parameters: [runId, place, level ?? '', pageRows],
    });
    for await (const portion of withData(connection, rows)) yield portion.map(toLogLine);
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageRows) return;
    place = last.sequence;
    left -= rows.length;
  }
}

function toLogLine(row: LogRow): StoredLogLine {
  return {
    sequence: row.sequence,
    stepName: row.step_name,
    level: row.level ?? 'info',
    message: row.message ?? '',
    data: JsonText.of(row.data),
    createdAt: toIsoTime(row.created_at),
  };
}
