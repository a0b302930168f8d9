import type { CompiledQuery } from 'kysely';
import type { Call } from '../../../core/call.ts';
import type { RunQuery } from '../../../core/lists/run-query.ts';
import type { BulkRun } from '../../../core/managing/run-bulk.ts';
import type { RunField, StoredRun } from '../../../core/run.ts';
import type { Freshness, Portions, StoredRunPage } from '../../../core/store.ts';
import type { Connection } from '../connection/connection.ts';
import type { Statement } from '../connection/statement.ts';
import { readAsOf, readExisting } from './current-reads.ts';
import { compile, type PageReads } from './lists/run-page.ts';
import { type CutRow, inPortions, keepPortion, type Listed, PAGE_ROWS } from './portions.ts';
import {
  type CompiledRow,
  type ListedRunRow,
  listedColumns,
  selectFields,
  toListedRun,
  toRun,
  type WholeRunRow,
  wholeColumns,
} from './rows.ts';

/** A page of runs. Its rows are read in portions. The first statement reads a short page whole. */
export async function listRuns(
  connection: Connection,
  query: RunQuery,
  { asOf = 'recently' }: { readonly asOf?: Freshness } = {},
): Promise<StoredRunPage> {
  if (query.limit <= PAGE_ROWS) {
    const page = toPage(await readList(connection, compiled(connection, query, 'rows'), asOf));
    return {
      next: nextOf(query, page.at(-1)?.key, page.length),
      portions: portionsOf(connection, query, page),
    };
  }
  const places = (await readList(connection, compiled(connection, query, 'places'), asOf)).flatMap(
    ({ seq }) => seq ?? [],
  );
  return {
    next: nextOf(query, places.at(-1), places.length),
    portions: readPlaces(connection, query, places),
  };
}

/** The runs of a page, in one statement. */
export async function findRuns(
  connection: Connection,
  query: RunQuery,
  { deadlineMs }: Call = {},
): Promise<BulkRun[]> {
  const { sql, parameters } = compiled(connection, query, 'names');
  const statement: Statement<CompiledRow> = {
    sql,
    parameters: parameters as (string | number)[],
    deadlineMs,
  };
  const rows = await readAsOf(connection, statement, 'now');
  return rows.map(({ id = '', job_name = '' }) => ({ runId: id, jobName: job_name }));
}

/** A query of a list has texts and whole numbers only. */
async function readList(
  connection: Connection,
  list: CompiledQuery<CompiledRow>,
  asOf: Freshness,
): Promise<CompiledRow[]> {
  if (asOf === 'recently') return await connection.query(list);
  const { sql, parameters } = list;
  return await readAsOf(connection, { sql, parameters: parameters as (string | number)[] }, asOf);
}

function nextOf({ limit }: RunQuery, last: number | undefined, length: number): number | null {
  return last !== undefined && length === limit ? last : null;
}

async function* readPlaces(
  connection: Connection,
  query: RunQuery,
  places: readonly number[],
): AsyncGenerator<readonly Partial<StoredRun>[]> {
  for (let i = 0; i < places.length; i += PAGE_ROWS) {
    yield* portionsOf(connection, query, await readPage(connection, query, places.slice(i, i + PAGE_ROWS)));
  }
}

/** A separate function, because a generator would keep the rows for as long as its reader takes. */
async function readPage(
  connection: Connection,
  { fields }: RunQuery,
  places: readonly number[],
): Promise<Listed<StoredRun>[]> {
  const statement = {
    sql: `select ${listedColumns(fields)} from durably_runs
      where seq in (select value from json_each(?)) order by seq desc`,
    parameters: [JSON.stringify(places)],
  };
  const rows = await readExisting<ListedRunRow>(connection, statement, { count: places.length });
  return toPage(rows);
}

function toPage(rows: readonly ListedRunRow[]): Listed<StoredRun>[] {
  return keepPortion(rows.map(toListedRun), () => undefined);
}

function portionsOf(
  connection: Connection,
  { fields }: RunQuery,
  page: Listed<StoredRun>[],
): Portions<Partial<StoredRun>> {
  const portions = inPortions(page, (cut) => readWholeRuns(connection, fields, cut));
  if (fields === null) return portions;
  return selected(portions, fields);
}

async function* selected(
  portions: AsyncIterable<readonly StoredRun[]>,
  fields: readonly RunField[],
): AsyncGenerator<readonly Partial<StoredRun>[]> {
  for await (const portion of portions) yield portion.map((run) => selectFields(run, fields));
}

/** Reads runs by their keys, whose large values a page left out. */
export async function readWholeRuns(
  connection: Connection,
  fields: readonly RunField[] | null,
  listed: readonly CutRow<unknown>[],
  { asOf, deadlineMs }: { readonly asOf?: Freshness } & Call = {},
): Promise<Map<number, StoredRun>> {
  const statement = {
    sql: `select ${wholeColumns(fields)} from durably_runs where seq in (select value from json_each(?))`,
    parameters: [JSON.stringify(listed.map(({ key }) => key))],
    deadlineMs,
  };
  const rows = await readExisting<WholeRunRow>(connection, statement, {
    count: listed.length,
    asOf,
  });
  return new Map(rows.map((row) => [row.seq, toRun(row)]));
}

const MAX_COMPILED = 100;
const compiledLists = new WeakMap<Connection, Map<string, CompiledQuery<CompiledRow>>>();

/** Dashboards repeat the same lists, so the latest queries are kept compiled. */
function compiled(connection: Connection, query: RunQuery, reads: PageReads): CompiledQuery<CompiledRow> {
  const lists = compiledLists.get(connection) ?? new Map<string, CompiledQuery<CompiledRow>>();
  compiledLists.set(connection, lists);
  const key = JSON.stringify([reads, query]);
  const list = lists.get(key) ?? compile(connection.db, query, reads);
  // Moves the query to the end of the map, which is in order of use.
  lists.delete(key);
  lists.set(key, list);
  for (const oldest of lists.keys()) {
    if (lists.size <= MAX_COMPILED) break;
    lists.delete(oldest);
  }
  return list;
}
