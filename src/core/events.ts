import * as z from 'zod';
import { type ErrorDetail, errorDetailSchema } from './errors/error-detail.ts';
import type { WorkerErrorContext } from './errors/worker-error-context.ts';
import { decodeJson } from './json/json.ts';
import { JsonText, recordText } from './json/json-text.ts';
import { readLazily } from './json/lazy.ts';
import { isRedacted } from './json/redacted.ts';
import { isSealed, shownText } from './json/sealed.ts';
import { LOG_LEVELS, type LogLevel } from './log-line.ts';
import type { RunProgress } from './run.ts';
import { toIsoTime } from './time/clock.ts';
import { readRetry, readWait, waitSchema } from './wait.ts';

/** One row of the journal. Every event is one row, and the {@link eventCatalogue} says which columns it uses. */
export interface JournalRow {
  readonly sequence: number;
  readonly runId: string;
  readonly jobName: string;
  readonly type: JournalEventType;
  /** ms since the epoch, by the database's clock. */
  readonly createdAt: number;
  readonly attempt: number | null;
  readonly stepName: string | null;
  readonly stepIndex: number | null;
  readonly level: LogLevel | null;
  /** An error's or a log line's text, or the name of an event of the job's own. */
  readonly message: string | null;
  /** JSON text: a payload, an output, a progress, a log line's data, an error's detail. */
  readonly data: string | null;
  readonly durationMs: number | null;
  /** JSON text of its run's labels, null without labels. Missing if labels were not requested. */
  readonly labels?: string | null;
}

/** What a journal row says about its run. Columns that it doesn't name are null. */
export interface JournalNote
  extends Partial<Pick<JournalRow, 'stepName' | 'stepIndex' | 'level' | 'message' | 'data' | 'durationMs'>> {
  readonly type: JournalEventType;
}

interface EventKind<S extends z.ZodObject = z.ZodObject> {
  /** The event's fields besides `type`, `timestamp`, `sequence`, `runId` and `jobName`. */
  readonly schema: S;
  /** Reads those fields from a journal row. `json` parses JSON text, and gives undefined for null. */
  readonly read: (row: JournalRow, json: (text: string | null) => unknown) => z.input<S>;
}

const kind = <S extends z.ZodObject>(schema: S, read: EventKind<S>['read']): EventKind<S> => ({
  schema,
  read,
});

const nothing = kind(z.object({}), () => ({}));
const stepFields = { stepName: z.string(), stepIndex: z.int() };
const readStep = (row: JournalRow) => ({ stepName: row.stepName ?? '', stepIndex: row.stepIndex ?? 0 });

const errorFields = { error: z.string(), errorDetail: errorDetailSchema.nullable() };
const readError = (row: JournalRow) => ({
  error: textOf(row),
  errorDetail: readDetail(row.data),
});

/** Null if callers can't see it. */
const readDetail = (data: string | null) =>
  (data === null || isSealed(data) || isRedacted(data) ? null : JSON.parse(data)) as ErrorDetail | null;

/** The message of a row, as callers see it. */
const textOf = ({ message }: JournalRow) => (message === null ? '' : shownText(message));

/** A message may be sealed, the numbers never are. */
function readProgress(data: string | null): RunProgress {
  const progress = decodeJson(data) as RunProgress;
  const { message } = progress;
  return message === undefined ? progress : { ...progress, message: shownText(message) };
}

export const progressSchema = z.object({
  current: z.number(),
  total: z.number().optional(),
  message: z.string().optional(),
});

const time = z.iso.datetime();

const triggerFields = {
  runAt: time.optional(),
  parentRunId: z.string().optional(),
  forkedFrom: z.string().optional(),
};

/** The list of all events. Types, the journal, SSE and openapi.yaml follow from it. */
export const eventCatalogue = {
  'run:trigger': kind(z.object(triggerFields), (row) => ({
    ...(decodeJson(row.data) as z.input<z.ZodObject<typeof triggerFields>> | undefined),
  })),
  'run:start': kind(z.object({ payload: z.unknown(), attempt: z.int() }), (row, json) => ({
    payload: json(row.data),
    attempt: row.attempt ?? 0,
  })),
  'run:resume': kind(z.object({ attempt: z.int() }), (row) => ({ attempt: row.attempt ?? 0 })),
  'run:wait': kind(z.object({ waits: z.array(waitSchema) }), (row) => ({
    waits: [...(readWait(row.data)?.waits ?? [])],
  })),
  'run:signal': kind(z.object({ name: z.string(), payload: z.unknown() }), (row, json) => ({
    name: row.message ?? '',
    payload: json(row.data) ?? null,
  })),
  'run:progress': kind(z.object({ progress: progressSchema }), (row) => ({
    progress: readProgress(row.data),
  })),
  'run:complete': kind(z.object({ output: z.unknown(), duration: z.number() }), (row, json) => ({
    output: json(row.data) ?? null,
    duration: row.durationMs ?? 0,
  })),
  'run:fail': kind(z.object({ ...errorFields, failedStepName: z.string() }), (row) => ({
    ...readError(row),
    failedStepName: row.stepName ?? UNKNOWN_STEP,
  })),
  'run:reschedule': kind(z.object({ runAt: time }), (row) => ({
    runAt: (decodeJson(row.data) as { runAt: string } | undefined)?.runAt ?? toIsoTime(row.createdAt),
  })),
  'run:cancel': nothing,
  // A retry by a caller has no data.
  'run:retry': kind(
    z.object({
      automatic: z.literal(true).optional(),
      error: z.string().optional(),
      nextAttemptAt: time.optional(),
    }),
    (row) => {
      const wait = readRetry(row.data);
      if (wait === undefined) return {};
      return { automatic: true as const, error: textOf(row), nextAttemptAt: toIsoTime(wait.dueAt) };
    },
  ),
  'run:delete': nothing,
  'step:start': kind(z.object(stepFields), readStep),
  'step:complete': kind(
    z.object({ ...stepFields, output: z.unknown(), duration: z.number() }),
    (row, json) => ({
      ...readStep(row),
      output: json(row.data) ?? null,
      duration: row.durationMs ?? 0,
    }),
  ),
  'step:fail': kind(z.object({ ...stepFields, ...errorFields }), (row) => ({
    ...readStep(row),
    ...readError(row),
  })),
  'step:retry': kind(
    z.object({ ...stepFields, error: z.string(), attempt: z.int(), nextAttemptAt: time }),
    (row) => {
      const { attempt = 0, dueAt } = readRetry(row.data) ?? { dueAt: row.createdAt };
      return { ...readStep(row), error: textOf(row), attempt, nextAttemptAt: toIsoTime(dueAt) };
    },
  ),
  'run:emit': kind(
    z.object({ name: z.string(), data: z.unknown(), stepName: z.string().nullable() }),
    (row, json) => ({ name: row.message ?? '', data: json(row.data) ?? null, stepName: row.stepName }),
  ),
  'log:write': kind(
    z.object({
      stepName: z.string().nullable(),
      level: z.enum(LOG_LEVELS),
      message: z.string(),
      data: z.unknown(),
    }),
    (row, json) => ({
      stepName: row.stepName,
      level: row.level ?? 'info',
      message: textOf(row),
      data: json(row.data) ?? null,
    }),
  ),
} as const;

/** The `failedStepName` of a run that failed outside its steps. */
export const UNKNOWN_STEP = 'unknown';
export type JournalEventType = keyof typeof eventCatalogue;
/** The name of an event, such as `run:complete`. */
export type EventType = JournalEventType | 'worker:error';

interface EventBase<E extends EventType> {
  readonly type: E;
  /** ISO 8601 UTC with ms. */
  readonly timestamp: string;
  /** Rises with each event. In streams it is the place in the journal; in `on()` it counts this process's events. */
  readonly sequence: number;
}

type SchemaOf<E extends JournalEventType> = (typeof eventCatalogue)[E]['schema'];

/** An object without fields would read as one that may have none at all. */
type FieldsOf<E extends JournalEventType> = keyof SchemaOf<E>['shape'] extends never
  ? unknown
  : Readonly<z.output<SchemaOf<E>>>;

/** An event of a run, as the journal keeps it and streams send it. With a type argument, an event of that type. */
export type JournalEvent<E extends JournalEventType = JournalEventType> = {
  [K in E]: EventBase<K> & { readonly runId: string; readonly jobName: string } & FieldsOf<K>;
}[E];

/** An error of the worker itself. It is not in the journal. */
export interface WorkerErrorEvent extends EventBase<'worker:error'> {
  readonly error: string;
  readonly context: WorkerErrorContext;
  readonly runId?: string;
}

/** An event as listeners and streams receive it. With a type argument, an event of that type. */
export type DurablyEvent<E extends EventType = EventType> =
  | (E extends JournalEventType ? JournalEvent<E> : never)
  | (E extends 'worker:error' ? WorkerErrorEvent : never);

/** What `on` calls for each event of a type. What it throws goes to `onError`. */
export type EventHandler<E extends EventType> = (event: DurablyEvent<E>) => void;

export const EVENT_TYPES: readonly EventType[] = [
  ...(Object.keys(eventCatalogue) as JournalEventType[]),
  'worker:error',
];

/** The event of a journal row. A long value in it is parsed when somebody reads it: many listeners don't. */
export function toEvent(row: JournalRow): JournalEvent {
  return readLazily(row.data, (json) => readEvent(row, json)) as JournalEvent;
}

/** The JSON text of {@link toEvent}'s event, made without parsing the row's own JSON. */
export function toEventText(row: JournalRow): string {
  return recordText(readEvent(row, (text) => JsonText.of(text) ?? undefined));
}

function readEvent(row: JournalRow, json: (text: string | null) => unknown) {
  return {
    type: row.type,
    timestamp: toIsoTime(row.createdAt),
    sequence: row.sequence,
    runId: row.runId,
    jobName: row.jobName,
    ...eventCatalogue[row.type].read(row, json),
  };
}

const ENDS: ReadonlySet<EventType> = new Set(['run:complete', 'run:fail', 'run:cancel', 'run:delete']);
/** Whether the event ends a run (until a retry opens it again). */
export function endsRun(type: JournalEventType): boolean {
  return ENDS.has(type);
}

/** Whether it is the last one that an execution of a run stores. */
export function endsExecution(type: JournalEventType): boolean {
  return endsRun(type) || type === 'run:wait' || type === 'run:retry';
}

/** Whether lists of runs show the event: all but log lines. */
export function isListed(type: JournalEventType): boolean {
  return type !== 'log:write';
}
