import * as z from 'zod';
import { ValidationError } from '../errors/errors.ts';
import { type Duration, parseDuration } from '../time/duration.ts';
import { checkMembers } from '../validation/known-names.ts';
import { refuseMember } from '../validation/refusal.ts';
import { shownValue } from '../validation/shown-value.ts';

/** The statuses of runs that are over. */
export const ENDED_STATUSES = ['completed', 'failed', 'cancelled'] as const;
/** The status of a run that is over. */
export type EndedStatus = (typeof ENDED_STATUSES)[number];

/** How long runs are kept after their end: all of them, or by status. Those of a status that is not named are kept for ever. */
export type RunRetention = Duration | { readonly [S in EndedStatus]?: Duration | undefined };

/** Runs in this status are old when their end is so long ago. */
export interface OldAge {
  readonly status: EndedStatus;
  readonly olderThanMs: number;
}

/** Which old runs to remove. */
export interface PurgeOptions {
  /** How long ago their end must be. */
  readonly olderThan: Duration;
  /** Only of these. Default: all of `completed`, `failed` and `cancelled`. */
  readonly status?: EndedStatus | readonly EndedStatus[] | undefined;
  /** How many to remove at most, 1 to 1,000. Default: 1,000. */
  readonly limit?: number | undefined;
}

const STATUS_MEMBERS = { completed: true, failed: true, cancelled: true };

/** @throws {ValidationError} that names the option and the value. */
export function parseRetention(option: string, given: unknown): OldAge[] {
  if (typeof given !== 'object' || given === null) {
    const olderThanMs = parseDuration(option, given);
    return ENDED_STATUSES.map((status) => ({ status, olderThanMs }));
  }
  checkMembers(`member of ${option}`, given, STATUS_MEMBERS);
  const ages = ENDED_STATUSES.flatMap((status) => {
    const age: unknown = Reflect.get(given, status);
    if (age === undefined) return [];
    return [{ status, olderThanMs: parseDuration(`${option}.${status}`, age) }];
  });
  if (ages.length > 0) return ages;
  throw refuseMember(option, `must name at least one of ${ENDED_STATUSES.join(', ')}`);
}

/** The statuses that are given, or all. @throws {ValidationError} */
export function parseEndedStatuses(given: unknown): readonly EndedStatus[] {
  const values: unknown[] = given === undefined ? [...ENDED_STATUSES] : [given].flat();
  const unknown = values.find((value) => !ENDED_STATUSES.some((status) => status === value));
  if (unknown === undefined) return ENDED_STATUSES.filter((status) => values.includes(status));
  const message = `status must be one of ${ENDED_STATUSES.join(', ')}, not ${shownValue(unknown)}`;
  throw new ValidationError(message, [{ path: ['status'], message }]);
}

/** The schema of the option `retainRuns`. */
export const retentionOption: z.ZodType = z.unknown().superRefine((given, context) => {
  try {
    parseRetention('retainRuns', given);
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    context.addIssue({ code: 'custom', message: error.message.replace(/^retainRuns /, '') });
  }
});

/**
 * A retention as text: a duration, or `completed=7d,failed=30d`.
 *
 * @throws {ValidationError} that says what is wrong with it.
 */
export function readRetention(text: string): RunRetention {
  const ages = text.includes('=')
    ? Object.fromEntries(text.split(',').map((part) => part.split('=').map((each) => each.trim())))
    : text.trim();
  parseRetention('retention', ages);
  return ages;
}
