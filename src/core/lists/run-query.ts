import * as z from 'zod';
import { dropPromises } from '../errors/dropped.ts';
import { ValidationError } from '../errors/errors.ts';
import { isA } from '../errors/thrown.ts';
import { RUN_FIELDS, RUN_STATUSES, type Run, type RunField, type RunStatus } from '../run.ts';
import { type Labels, labelsSchema } from '../triggers/labels.ts';
import { knownMembers, summarize, toIssues } from '../validation/issues.ts';
import { shownValue } from '../validation/shown-value.ts';
import { cursorSchema, encodeCursor } from './run-cursor.ts';
import { type RunSearch, type RunSearchQuery, runSearchShape } from './run-search.ts';

export const MAX_FILTER_VALUES = 20;
export const MAX_LIST_LIMIT = 1000;
export const DEFAULT_LIST_LIMIT = 100;
export const MAX_LIST_OFFSET = 100_000;

/** Which runs a list contains: the runs that match every member. Without members, all runs. */
export interface RunFilter extends RunSearch {
  /** An empty list matches no run. The same holds for `status`. */
  readonly jobName?: string | readonly string[] | undefined;
  readonly status?: RunStatus | readonly RunStatus[] | undefined;
  /** Only runs that a step of this run triggered. */
  readonly parentRunId?: string | undefined;
  /** Only runs that this schedule has made. */
  readonly scheduleId?: string | undefined;
  /**
   * Only runs with all of these labels. The runs of the first label are read, newest
   * first, until the page is full, so name the rarest label first. (If only active
   * statuses are asked for, the active runs are read instead.)
   */
  readonly labels?: Labels | undefined;
  /** 1 to 1,000. Default: 100. */
  readonly limit?: number | undefined;
  /**
   * 0 to 100,000. Pages by offset repeat or skip runs when runs are added or deleted
   * meanwhile; pages by `cursor` don't.
   */
  readonly offset?: number | undefined;
  /**
   * The `nextCursor` of the page before (over HTTP, the `cursor` in its `Link` header).
   * Can't be combined with `offset`.
   */
  readonly cursor?: string | undefined;
}

/** A filter that reads only some fields of the runs; `payload` and `output` may be large. */
export interface RunSelection<F extends RunField = RunField> extends RunFilter {
  readonly fields: readonly F[];
}

/** A part of a list of runs. */
export interface RunPage<TRun = Run> {
  readonly runs: TRun[];
  /** The `cursor` of the page that follows; null after the last. */
  readonly nextCursor: string | null;
}

/** A checked {@link RunFilter}: lists without duplicates (an empty one matches all), and bounds. */
export interface RunQuery extends RunSearchQuery {
  readonly jobNames: readonly string[];
  readonly statuses: readonly RunStatus[];
  readonly parentRunId: string | null;
  readonly scheduleId: string | null;
  readonly labels: readonly (readonly [key: string, value: string])[];
  /** The fields to read, without duplicates; null for all. */
  readonly fields: readonly RunField[] | null;
  readonly limit: number;
  readonly offset: number;
  /** Only runs that come after this place in the list. Null to start at the newest run. */
  readonly before: number | null;
}

/** @param what what each value must be */
const oneOrMany = <T extends z.ZodType<string>>(value: T, what: string) =>
  z
    .union([value.transform((one) => [one]), z.array(value).max(MAX_FILTER_VALUES)], {
      error: ({ input }) => {
        const wrong = Array.isArray(input) ? input.find((each) => !value.safeParse(each).success) : input;
        const shown = wrong === undefined && Array.isArray(input) ? `${input.length}` : shownValue(wrong);
        return `must be ${what}, or a list of at most ${MAX_FILTER_VALUES}, not ${shown}`;
      },
    })
    .transform((values) => [...new Set(values)])
    .optional();

/** `nothing` for a filter with an empty list, which matches no run. */
const runQuerySchema = knownMembers('filter member', {
  jobName: oneOrMany(z.string(), 'a text'),
  status: oneOrMany(z.enum(RUN_STATUSES), `one of ${RUN_STATUSES.join(', ')}`),
  parentRunId: z.string().optional(),
  ...runSearchShape,
  scheduleId: z.string().optional(),
  labels: labelsSchema().default({}),
  limit: z.int().min(1).max(MAX_LIST_LIMIT).default(DEFAULT_LIST_LIMIT),
  offset: z.int().min(0).max(MAX_LIST_OFFSET).default(0),
  cursor: cursorSchema.optional(),
  fields: z.array(z.enum(RUN_FIELDS)).min(1).optional(),
})
  .refine(({ cursor, offset }) => cursor === undefined || offset === 0, {
    path: ['offset'],
    error: ({ input }) => {
      const { offset, cursor } = input as { readonly offset?: unknown; readonly cursor: number };
      return `${shownValue(offset)} does not go with the cursor ${shownValue(encodeCursor(cursor))}`;
    },
  })
  .transform(
    ({ jobName, status, parentRunId, scheduleId, labels, fields, cursor, ...rest }): RunQuery | 'nothing' => {
      if (jobName?.length === 0 || status?.length === 0) return 'nothing';
      return {
        jobNames: jobName ?? [],
        statuses: status ?? [],
        parentRunId: parentRunId?.toWellFormed() ?? null,
        scheduleId: scheduleId?.toWellFormed() ?? null,
        labels: Object.entries(labels),
        fields: fields === undefined ? null : [...new Set(fields)],
        limit: rest.limit,
        offset: rest.offset,
        before: cursor ?? null,
        createdAfter: rest.createdAfter ?? null,
        createdBefore: rest.createdBefore ?? null,
        q: rest.q ?? null,
      };
    },
  );

/** @throws {ValidationError} that names each bad member and its value. */
export function parseRunFilter(filter: unknown): RunQuery | 'nothing' {
  if (isA(filter, Promise))
    throw new ValidationError(`The filter must be an object, not ${shownValue(filter)}`);
  const parsed = runQuerySchema.safeParse(filter, { reportInput: true });
  if (parsed.success) return parsed.data;
  dropPromises(filter);
  const issues = toIssues(parsed.error);
  throw new ValidationError(`Invalid filter: ${summarize(issues)}`, issues);
}
