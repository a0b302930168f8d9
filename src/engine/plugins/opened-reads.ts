import { decodeJson } from '../../core/json/json.ts';
import { JsonText } from '../../core/json/json-text.ts';
import { PORTION_BYTES, portionLength } from '../../core/json/portions.ts';
import { isSealed, openedChars } from '../../core/json/sealed.ts';
import type { StoredLogLine } from '../../core/log-line.ts';
import type { RunProgress, StoredRun } from '../../core/run.ts';
import type { StoredSchedule } from '../../core/schedules/schedule.ts';
import type { StoredStep } from '../../core/step.ts';
import type { LeftData, ListedJournalRow, Store } from '../../core/store.ts';
import type { Enqueued } from '../../core/triggers/new-run.ts';
import { type Codec, type ShownTexts, shownTexts, toldTexts } from './codec.ts';

/**
 * A store whose reads for callers are decoded. What can't be decoded stays sealed, and is shown as such. What the execution of
 * a run reads stays as it is: it must not go on with less, and decodes by itself.
 */
export function withOpenedReads(store: Store, codec: Codec): Store {
  const texts = shownTexts(codec);
  const openRun = (run: Partial<StoredRun>) => openedRun(texts, run);
  const openSchedule = (schedule: StoredSchedule) => openedSchedule(texts, schedule);
  const runs = {
    open: openRun,
    charsOf: ({ payload, output }: Partial<StoredRun>) => charsOf(payload) + charsOf(output),
  };
  const steps = {
    open: (step: StoredStep) => openedStep(texts, step),
    charsOf: ({ output }: StoredStep) => charsOf(output),
  };
  const lines = {
    open: (line: StoredLogLine) => openedLogLine(texts, line),
    charsOf: ({ data }: StoredLogLine) => charsOf(data),
  };
  const schedules = {
    open: openSchedule,
    charsOf: ({ payload }: StoredSchedule) => (isSealed(payload) ? openedChars(payload) : 0),
  };
  return {
    ...store,
    async getRun(runId, options) {
      const run = await store.getRun(runId, options);
      return run && ((await openRun(run)) as StoredRun);
    },
    async listRuns(query, options) {
      const { portions, next } = await store.listRuns(query, options);
      return { portions: each(portions, runs), next };
    },
    listSteps: (runId) => each(store.listSteps(runId), steps),
    listLogs: (page) => each(store.listLogs(page), lines),
    async readJournal(page) {
      return await openedPage(texts, await store.readJournal(page));
    },
    async readRunJournal(page) {
      const { rows, head } = await store.readRunJournal(page);
      return { rows: await openedPage(texts, rows), head };
    },
    async readJournalData(sequences) {
      return await openedJournalData(texts, sequences, await store.readJournalData(sequences));
    },
    async getSchedule(id) {
      const { schedule, nowMs } = await store.getSchedule(id);
      return { schedule: schedule && (await openSchedule(schedule)), nowMs };
    },
    listSchedules: () => each(store.listSchedules(), schedules),
    async putSchedule(schedule) {
      return await openSchedule(await store.putSchedule(schedule));
    },
    async resumeSchedule(resumed) {
      const schedule = await store.resumeSchedule(resumed);
      return schedule && (await openSchedule(schedule));
    },
  };
}

/** A run for who tells others of it, and can read it again. @throws {PluginTimeoutError} if a plugin takes too long. */
export async function toldRun(codec: Codec | undefined, run: StoredRun): Promise<StoredRun> {
  return codec === undefined ? run : ((await openedRun(toldTexts(codec), run)) as StoredRun);
}

/** A run that a trigger has found or made. What it has made needs no decoding: `given` is its payload, `sealed` the stored one. */
export async function openedEnqueued(
  codec: Codec,
  enqueued: Enqueued,
  payload: { readonly given: string; readonly sealed: string },
): Promise<Enqueued> {
  const texts = shownTexts(codec);
  const stored = enqueued.toRun();
  const isGiven = (stored.payload.sealed ?? stored.payload.text) === payload.sealed;
  const known = isGiven ? { ...stored, payload: new JsonText(payload.given) } : stored;
  const run = (await openedRun(texts, known)) as StoredRun;
  const { keyedPayload } = enqueued;
  const keyed = keyedPayload && (await texts.json(keyedPayload));
  return { ...enqueued, toRun: () => run, keyedPayload: keyed };
}

/** What is decoded at once, and passed on before the next. A single item may be larger. */
const OPENED_CHARS = 128 * 1024;

/** The items decoded, in portions that are bounded by what they are then: a plugin may make much of little. */
async function* each<T>(
  portions: AsyncIterable<readonly T[]>,
  { open, charsOf }: Opening<T>,
): AsyncGenerator<readonly T[]> {
  for await (const portion of portions) {
    const left = [...portion];
    while (left.length > 0) {
      const next = left.splice(0, portionLength(left, charsOf, OPENED_CHARS));
      yield await Promise.all(next.map(open));
    }
  }
}

interface Opening<T> {
  readonly open: (item: T) => Promise<T>;
  /** The length of what will be decoded of it. */
  readonly charsOf: (item: T) => number;
}

/** Of JSON that is not sealed, nothing is decoded. */
const charsOf = (json: JsonText | null | undefined): number =>
  json?.sealed === undefined ? 0 : openedChars(json.sealed);

async function openedRun(texts: ShownTexts, run: Partial<StoredRun>): Promise<Partial<StoredRun>> {
  const { payload, output, error, errorDetail, progress } = run;
  const opened = await Promise.all([
    payload && openedJson(texts, payload),
    output && openedJson(texts, output),
    errorDetail && openedDetail(texts, errorDetail),
    error == null ? error : texts.text(error),
    progress && openedProgress(texts, progress),
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

async function openedStep(texts: ShownTexts, step: StoredStep): Promise<StoredStep> {
  const [output, error, errorDetail] = await Promise.all([
    step.output && openedJson(texts, step.output),
    openedText(texts, step.error),
    step.errorDetail && openedDetail(texts, step.errorDetail),
  ]);
  return { ...step, output, error, errorDetail };
}

async function openedLogLine(texts: ShownTexts, line: StoredLogLine): Promise<StoredLogLine> {
  const [message, data] = await Promise.all([
    texts.text(line.message),
    line.data && openedJson(texts, line.data),
  ]);
  return { ...line, message, data };
}

/** A page with as much data as fits into a portion when it is decoded. The data of its other rows is left, like large data. */
async function openedPage(texts: ShownTexts, page: readonly ListedJournalRow[]): Promise<ListedJournalRow[]> {
  let chars = 0;
  const opening: Promise<ListedJournalRow>[] = [];
  for (const row of page) {
    const { data } = row;
    const dataBytes = data === null ? row.dataBytes : openedChars(data);
    if (data !== null && isSealed(data)) chars += dataBytes;
    const isLeft = data !== null && chars > PORTION_BYTES;
    opening.push(
      openedRow(texts, isLeft ? { ...row, data: null, dataBytes, isDataLeft: true } : { ...row, dataBytes }),
    );
  }
  return await Promise.all(opening);
}

async function openedRow(texts: ShownTexts, row: ListedJournalRow): Promise<ListedJournalRow> {
  const [message, data] = await Promise.all([openedText(texts, row.message), openedData(texts, row.data)]);
  return { ...row, message, data };
}

/** The data of the first rows, as much as fits into a portion when it is decoded: of one at least. Of the others, its size. */
async function openedJournalData(
  texts: ShownTexts,
  sequences: readonly number[],
  read: Awaited<ReturnType<Store['readJournalData']>>,
): Promise<ReadonlyMap<number, string | null | LeftData>> {
  const present = sequences.filter((sequence) => read.has(sequence));
  const textOf = (sequence: number) => read.get(sequence) ?? null;
  const bytesOf = (sequence: number) => {
    const text = textOf(sequence);
    return typeof text === 'string' ? openedChars(text) : (text?.leftBytes ?? 0);
  };
  const opened = portionLength(present, bytesOf);
  const data = present.map(async (sequence, i): Promise<[number, string | null | LeftData]> => {
    const text = textOf(sequence);
    if (i >= opened) return [sequence, { leftBytes: bytesOf(sequence) }];
    return [sequence, typeof text === 'string' ? await openedData(texts, text) : text];
  });
  return new Map(await Promise.all(data));
}

/** How the data of a `run:progress` row begins. Only its message is sealed. */
const PROGRESS = '{"current":';

async function openedData(texts: ShownTexts, data: string | null): Promise<string | null> {
  if (data === null) return null;
  if (!data.startsWith(PROGRESS)) return await texts.json(data);
  return JSON.stringify(await openedProgress(texts, decodeJson(data) as RunProgress));
}

async function openedSchedule(texts: ShownTexts, schedule: StoredSchedule): Promise<StoredSchedule> {
  const { payload } = schedule;
  if (!isSealed(payload)) return schedule;
  return { ...schedule, payload: await texts.json(payload), sealedPayload: payload };
}

async function openedProgress(texts: ShownTexts, progress: RunProgress): Promise<RunProgress> {
  const { message } = progress;
  return message === undefined ? progress : { ...progress, message: await texts.text(message) };
}

async function openedText(texts: ShownTexts, text: string | null): Promise<string | null> {
  return text === null ? null : await texts.text(text);
}

async function openedJson(texts: ShownTexts, json: JsonText): Promise<JsonText> {
  const opened = await openedSealed(texts, json);
  return opened === undefined ? json : new JsonText(opened);
}

async function openedDetail(texts: ShownTexts, detail: JsonText): Promise<JsonText> {
  const opened = await openedSealed(texts, detail);
  return (opened === undefined ? undefined : JsonText.ofDetail(opened)) ?? detail;
}

/** Undefined if it needs no decoding, or can't be decoded here. */
async function openedSealed(texts: ShownTexts, { sealed }: JsonText): Promise<string | undefined> {
  if (sealed === undefined) return undefined;
  const opened = await texts.json(sealed);
  return isSealed(opened) ? undefined : opened;
}
