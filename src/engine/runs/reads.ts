import type { JsonReads } from '../../core/durably.ts';
import { NotFoundError } from '../../core/errors/errors.ts';
import { arrayPieces, type JsonRecord, objectPieces } from '../../core/json/json-text.ts';
import { collect } from '../../core/json/portions.ts';
import { type WithTexts, withShownTexts } from '../../core/json/sealed.ts';
import { encodeCursor } from '../../core/lists/run-cursor.ts';
import {
  parseRunFilter,
  type RunFilter,
  type RunPage,
  type RunSelection,
} from '../../core/lists/run-query.ts';
import { type LogQuery, parseLogLine } from '../../core/log-line.ts';
import {
  checkRunId,
  parseDetail,
  parseRun,
  type Run,
  type RunField,
  type StoredRun,
} from '../../core/run.ts';
import { parseStep } from '../../core/step.ts';
import type { Portions, Store, StoredRunPage } from '../../core/store.ts';
import { parseLogQuery } from './log-query.ts';

/** Reads a whole page of runs. @throws {ValidationError} for a bad filter. */
export async function readRuns(store: Store, filter: RunFilter = {}): Promise<RunPage> {
  const { portions, next } = await listRuns(store, filter);
  const runs = await collect(portions, parseListed);
  return { runs, nextCursor: next === null ? null : encodeCursor(next) };
}

/** A run of which only some fields were read. */
function parseListed(run: Partial<StoredRun>): Run {
  const { payload, output, errorDetail } = run;
  return {
    ...withShownTexts(run),
    ...(errorDetail === undefined ? {} : { errorDetail: parseDetail(errorDetail) }),
    ...(payload === undefined ? {} : { payload: payload.parse() }),
    ...(output === undefined ? {} : { output: output?.parse() ?? null }),
  } as Run;
}

/** The reads that callers can make. */
export function createReads(store: Store) {
  const mustExist = async (runId: string) => {
    if (!(await store.getRun(runId))) throw new NotFoundError('Run not found');
  };
  /**
   * Converts the portions of a run's rows. The first portion is read at once, to find out whether
   * the run exists.
   */
  const ofRun = async <T>(runId: string, portions: Portions<T>): Promise<Portions<T>> => {
    const iterator = portions[Symbol.asyncIterator]();
    const first = await iterator.next();
    if (first.done) await mustExist(runId);
    return resume(first, iterator);
  };
  const getRuns = async (filter?: RunFilter) => (await readRuns(store, filter)).runs;

  return {
    async getRun(runId: string) {
      const run = await store.getRun(checkRunId(runId));
      return run && parseRun(run);
    },
    getRuns: getRuns as {
      <F extends RunField>(filter: RunSelection<F>): Promise<Pick<Run, F>[]>;
      (filter?: RunFilter): Promise<Run[]>;
    },
    getRunsPage: (filter?: RunFilter) => readRuns(store, filter),
    async getSteps(runId: string) {
      const id = checkRunId(runId);
      return await collect(await ofRun(id, store.listSteps(id)), parseStep);
    },
    async getLogs(query: LogQuery) {
      const page = parseLogQuery(query);
      return await collect(await ofRun(page.runId, store.listLogs(page)), parseLogLine);
    },
    asJson: createJsonReads(store, ofRun),
  };
}

function createJsonReads(
  store: Store,
  ofRun: <T>(runId: string, portions: Portions<T>) => Promise<Portions<T>>,
): JsonReads {
  const toPieces = <T extends WithTexts>(portions: Portions<T>) =>
    arrayPieces(shown(portions) as Portions<T & JsonRecord>);
  return {
    async run(runId) {
      const run = await store.getRun(checkRunId(runId));
      return run && objectPieces({ ...withShownTexts(run) });
    },
    async runs(filter = {}) {
      const { portions, next } = await listRuns(store, filter);
      return { pieces: toPieces(portions), nextCursor: next === null ? null : encodeCursor(next) };
    },
    async steps(runId) {
      const id = checkRunId(runId);
      return toPieces(await ofRun(id, store.listSteps(id)));
    },
    async logs(query) {
      const page = parseLogQuery(query);
      return toPieces(await ofRun(page.runId, store.listLogs(page)));
    },
  };
}

async function* shown<T extends WithTexts>(portions: Portions<T>): AsyncGenerator<readonly T[]> {
  for await (const portion of portions) yield portion.map(withShownTexts);
}

async function* resume<T>(
  first: IteratorResult<readonly T[]>,
  rest: AsyncIterator<readonly T[]>,
): AsyncGenerator<readonly T[]> {
  try {
    for (let next = first; !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

/**
 * If no run can match the filter, the database is not asked. @throws {ValidationError} that names
 * the value that is out of bounds.
 */
async function listRuns(store: Store, filter: RunFilter): Promise<StoredRunPage> {
  const query = parseRunFilter(filter);
  return query === 'nothing' ? { portions: noRuns(), next: null } : await store.listRuns(query);
}

async function* noRuns(): AsyncGenerator<never> {}
