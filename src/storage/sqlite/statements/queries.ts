import type { Call } from '../../../core/call.ts';
import { JsonText } from '../../../core/json/json-text.ts';
import type { LogLevel, StoredLogLine } from '../../../core/log-line.ts';
import type { StoredRun } from '../../../core/run.ts';
import type { StepKind, StoredStep } from '../../../core/step.ts';
import type { Freshness, LogPage } from '../../../core/store.ts';
import { toIsoTime } from '../../../core/time/clock.ts';
import type { Connection } from '../connection/connection.ts';
import type { Statement } from '../connection/statement.ts';
import { readExisting } from './current-reads.ts';
import { existingRun, LEFT_OVER } from './deletions.ts';
import { type CutRow, inlineValue, inPortions, keepPortion, type Listed, PAGE_ROWS } from './portions.ts';
import { RUN_COLUMNS, type RunRow, toRun } from './rows.ts';

const RUN = `select ${RUN_COLUMNS.join(', ')} from durably_runs where id = ?`;

/** One run. Null if there is none with that id. A run that was just triggered is found behind a replica that has not got it yet. */
export async function getRun(
  connection: Connection,
  runId: string,
  { asOf, deadlineMs }: { readonly asOf?: Freshness } & Call = {},
): Promise<StoredRun | null> {
  const statement = { sql: RUN, parameters: [runId], deadlineMs };
  const [row] = await readExisting<RunRow>(connection, statement, { count: 1, asOf });
  return row ? toRun(row) : null;
}

const DATA_BYTES = 'octet_length(j.data)';
const DATA = `${inlineValue('j.data', DATA_BYTES)} as data, ${DATA_BYTES} as data_bytes`;

/** A journal row in a list, with its data if that is small. */
interface TextRow {
  readonly sequence: number;
  /** The name of the step. */
  readonly name: string | null;
  readonly message: string | null;
  readonly data: string | null;
  readonly data_bytes: number | null;
  readonly created_at: number;
}

/** Where a page ends and the next one begins. */
type PageEnd<R extends TextRow> = Omit<R, 'message' | 'data'>;

interface Page<R extends TextRow> {
  readonly rows: Listed<R, PageEnd<R>>[];
  readonly length: number;
  readonly end: PageEnd<R> | undefined;
}

/**
 * Reads a page of a list. A separate function, because a generator would keep the rows for as long
 * as its reader takes.
 */
async function readPage<R extends TextRow>(
  connection: Connection,
  statement: Statement<R>,
): Promise<Page<R>> {
  const rows = await connection.execute<R>(statement);
  const page = rows.map((row): Listed<R, R> => {
    const { name, message, data, data_bytes: dataBytes } = row;
    return {
      key: row.sequence,
      bytes: (name?.length ?? 0) + (message?.length ?? 0) + (dataBytes ?? 0),
      isWhole: data !== null || dataBytes === null,
      row,
    };
  });
  const last = rows.at(-1);
  return { rows: keepPortion(page, withoutTexts), length: rows.length, end: last && withoutTexts(last) };
}

function withoutTexts<R extends TextRow>({ message, data, ...row }: R): PageEnd<R> {
  return row;
}

/** The rows of a page with all their texts, in portions. */
function withTexts<R extends TextRow>(
  connection: Connection,
  { rows }: Page<R>,
): AsyncGenerator<readonly R[]> {
  return inPortions(rows, (cut) => readTexts(connection, cut));
}

type Texts = Pick<TextRow, 'sequence' | 'message' | 'data'>;

const TEXTS = `
select j.sequence, j.message, j.data from durably_journal j
where j.sequence in (select value from json_each(?)) and not ${LEFT_OVER}`;

async function readTexts<R extends TextRow>(
  connection: Connection,
  cut: readonly CutRow<PageEnd<R>>[],
): Promise<Map<number, R>> {
  const sequences = JSON.stringify(cut.map(({ key }) => key));
  const statement = { sql: TEXTS, parameters: [sequences] };
  const texts = await readExisting<Texts>(connection, statement, { count: cut.length });
  const ends = new Map(cut.map(({ key, row }) => [key, row]));
  return new Map(texts.map((row) => [row.sequence, { ...ends.get(row.sequence), ...row } as R]));
}

interface StepRow extends TextRow {
  readonly name: string;
  readonly step_index: number;
  readonly kind: StepKind;
  readonly status: 'completed' | 'failed';
  readonly duration_ms: number | null;
}

const STEPS = `
select s.name, s.step_index, s.kind, s.status, s.sequence, j.message, j.created_at, j.duration_ms, ${DATA}
from (
  select name, step_index, kind, status, sequence from durably_steps
  where run_id = ${existingRun('?1')} and status <> 'open' and (step_index, name) > (?2, ?3)
  order by step_index, name limit ${PAGE_ROWS}
) s cross join durably_journal j on j.sequence = s.sequence
order by s.step_index, s.name`;

/** A run's finished steps by index, in portions. */
export async function* listSteps(
  connection: Connection,
  runId: string,
): AsyncGenerator<readonly StoredStep[]> {
  let place: Pick<StepRow, 'step_index' | 'name'> | undefined = { step_index: -1, name: '' };
  while (place !== undefined) {
    const parameters = [runId, place.step_index, place.name];
    const page: Page<StepRow> = await readPage<StepRow>(connection, { sql: STEPS, parameters });
    for await (const portion of withTexts(connection, page)) yield portion.map(toStep);
    place = page.length === PAGE_ROWS ? page.end : undefined;
  }
}

function toStep(row: StepRow): StoredStep {
  return {
    name: row.name,
    index: row.step_index,
    kind: row.kind,
    status: row.status,
    output: row.status === 'completed' ? JsonText.of(row.data) : null,
    error: row.message,
    errorDetail: row.status === 'failed' ? JsonText.ofDetail(row.data) : null,
    startedAt: toIsoTime(row.created_at - (row.duration_ms ?? 0)),
    completedAt: toIsoTime(row.created_at),
  };
}

interface LogRow extends TextRow {
  readonly level: LogLevel | null;
}

const LOGS = `
select j.sequence, j.step_name as name, j.level, j.message, j.created_at, ${DATA}
from durably_journal j indexed by durably_journal_logs
where j.run_id = ${existingRun('?1')} and j.type = 'log:write' and j.sequence > ?2 and (?3 = '' or j.level = ?3)
order by j.sequence limit ?4`;

/** A run's log lines, oldest first, in portions. */
export async function* listLogs(
  connection: Connection,
  { runId, level, after, limit }: LogPage,
): AsyncGenerator<readonly StoredLogLine[]> {
  let place = after;
  for (let left = limit; left > 0; ) {
    const pageRows = Math.min(left, PAGE_ROWS);
    const parameters = [runId, place, level ?? '', pageRows];
    const page = await readPage<LogRow>(connection, { sql: LOGS, parameters });
    for await (const portion of withTexts(connection, page)) yield portion.map(toLogLine);
    if (page.end === undefined || page.length < pageRows) return;
    place = page.end.sequence;
    left -= page.length;
  }
}

function toLogLine(row: LogRow): StoredLogLine {
  return {
    sequence: row.sequence,
    stepName: row.name,
    level: row.level ?? 'info',
    message: row.message ?? '',
    data: JsonText.of(row.data),
    createdAt: toIsoTime(row.created_at),
  };
}
