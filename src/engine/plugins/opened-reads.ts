import { decodeJson } from '../../core/json/json.ts';
import { JsonText } from '../../core/json/json-text.ts';
import { isSealed } from '../../core/json/sealed.ts';
import type { RunProgress, StoredRun } from '../../core/run.ts';
import type { StoredSchedule } from '../../core/schedules/schedule.ts';
import type { StoredLogLine, StoredStep } from '../../core/step.ts';
import type { ListedJournalRow, Store } from '../../core/store.ts';
import type { Enqueued } from '../../core/triggers/new-run.ts';
import { type Codec, openIfReadable, openJsonIfReadable } from './codec.ts';

/**
 * A store whose reads for callers are decoded. What can't be decoded stays sealed, and is shown as such. What the execution of
 * a run reads stays as it is: it must not go on with less, and decodes by itself.
 */
export function withOpenedReads(store: Store, codec: Codec): Store {
  const openRun = (run: Partial<StoredRun>) => openedRun(codec, run);
  const openRow = (row: ListedJournalRow) => openedRow(codec, row);
  const openSchedule = (schedule: StoredSchedule) => openedSchedule(codec, schedule);
  return {
    ...store,
    async getRun(runId, options) {
      const run = await store.getRun(runId, options);
      return run && ((await openRun(run)) as StoredRun);
    },
    async listRuns(query, options) {
      const { portions, next } = await store.listRuns(query, options);
      return { portions: each(portions, openRun), next };
    },
    listSteps: (runId) => each(store.listSteps(runId), (step) => openedStep(codec, step)),
    listLogs: (page) => each(store.listLogs(page), (line) => openedLogLine(codec, line)),
    async readJournal(page) {
      return await Promise.all((await store.readJournal(page)).map(openRow));
    },
    async readRunJournal(page) {
      const { rows, head } = await store.readRunJournal(page);
      return { rows: await Promise.all(rows.map(openRow)), head };
    },
    async readJournalData(sequences) {
      const read = await store.readJournalData(sequences);
      const opened = [...read].map(
        async ([sequence, data]): Promise<[number, string | null]> => [
          sequence,
          await openedData(codec, data),
        ],
      );
      return new Map(await Promise.all(opened));
    },
    async getSchedule(id) {
      const { schedule, nowMs } = await store.getSchedule(id);
      return { schedule: schedule && (await openSchedule(schedule)), nowMs };
    },
    listSchedules: () => each(store.listSchedules(), openSchedule),
    async putSchedule(schedule) {
      return await openSchedule(await store.putSchedule(schedule));
    },
    async resumeSchedule(resumed) {
      const schedule = await store.resumeSchedule(resumed);
      return schedule && (await openSchedule(schedule));
    },
  };
}

/** A run that a trigger has found or made. What it has made needs no decoding: `given` is its payload, `sealed` the stored one. */
export async function openedEnqueued(
  codec: Codec,
  enqueued: Enqueued,
  payload: { readonly given: string; readonly sealed: string },
): Promise<Enqueued> {
  const stored = enqueued.toRun();
  const isGiven = (stored.payload.sealed ?? stored.payload.text) === payload.sealed;
  const known = isGiven ? { ...stored, payload: new JsonText(payload.given) } : stored;
  const run = (await openedRun(codec, known)) as StoredRun;
  const { keyedPayload } = enqueued;
  const keyed = keyedPayload && (await openJsonIfReadable(codec, keyedPayload));
  return { ...enqueued, toRun: () => run, keyedPayload: keyed };
}

async function* each<T, U>(
  portions: AsyncIterable<readonly T[]>,
  open: (item: T) => Promise<U>,
): AsyncGenerator<readonly U[]> {
  for await (const portion of portions) yield await Promise.all(portion.map(open));
}

async function openedRun(codec: Codec, run: Partial<StoredRun>): Promise<Partial<StoredRun>> {
  const { payload, output, error, errorDetail, progress } = run;
  const opened = await Promise.all([
    payload && openedJson(codec, payload),
    output && openedJson(codec, output),
    errorDetail && openedDetail(codec, errorDetail),
    error == null ? error : openIfReadable(codec, error),
    progress && openedProgress(codec, progress),
  ]);
  return {
    ...run,
    // Members that were not asked for stay missing.
    ...(payload && { payload: opened[0] }),
    ...(output && { output: opened[1] }),
    ...(errorDetail && { errorDetail: opened[2] }),
    ...(error != null && { error: opened[3] }),
    ...(progress && { progress: opened[4] }),
  };
}

async function openedStep(codec: Codec, step: StoredStep): Promise<StoredStep> {
  const [output, error, errorDetail] = await Promise.all([
    step.output && openedJson(codec, step.output),
    openedText(codec, step.error),
    step.errorDetail && openedDetail(codec, step.errorDetail),
  ]);
  return { ...step, output, error, errorDetail };
}

async function openedLogLine(codec: Codec, line: StoredLogLine): Promise<StoredLogLine> {
  const [message, data] = await Promise.all([
    openIfReadable(codec, line.message),
    line.data && openedJson(codec, line.data),
  ]);
  return { ...line, message, data };
}

async function openedRow(codec: Codec, row: ListedJournalRow): Promise<ListedJournalRow> {
  const [message, data] = await Promise.all([openedText(codec, row.message), openedData(codec, row.data)]);
  return { ...row, message, data };
}

/** How the data of a `run:progress` row begins. Only its message is sealed. */
const PROGRESS = '{"current":';

async function openedData(codec: Codec, data: string | null): Promise<string | null> {
  if (data === null) return null;
  if (!data.startsWith(PROGRESS)) return await openJsonIfReadable(codec, data);
  return JSON.stringify(await openedProgress(codec, decodeJson(data) as RunProgress));
}

async function openedSchedule(codec: Codec, schedule: StoredSchedule): Promise<StoredSchedule> {
  const { payload } = schedule;
  if (!isSealed(payload)) return schedule;
  return { ...schedule, payload: await openJsonIfReadable(codec, payload), sealedPayload: payload };
}

async function openedProgress(codec: Codec, progress: RunProgress): Promise<RunProgress> {
  const { message } = progress;
  return message === undefined ? progress : { ...progress, message: await openIfReadable(codec, message) };
}

async function openedText(codec: Codec, text: string | null): Promise<string | null> {
  return text === null ? null : await openIfReadable(codec, text);
}

async function openedJson(codec: Codec, json: JsonText): Promise<JsonText> {
  const opened = await openedSealed(codec, json);
  return opened === undefined ? json : new JsonText(opened);
}

async function openedDetail(codec: Codec, detail: JsonText): Promise<JsonText> {
  const opened = await openedSealed(codec, detail);
  return (opened === undefined ? undefined : JsonText.ofDetail(opened)) ?? detail;
}

/** Undefined if it needs no decoding, or can't be decoded here. */
async function openedSealed(codec: Codec, { sealed }: JsonText): Promise<string | undefined> {
  if (sealed === undefined) return undefined;
  const opened = await openJsonIfReadable(codec, sealed);
  return isSealed(opened) ? undefined : opened;
}
