import { errorMessage } from '../errors/error-text.ts';
import { parseDuration, parseTime } from '../time/duration.ts';
import type { MembersOf } from '../validation/known-names.ts';
import { refuseMember } from '../validation/refusal.ts';
import { shownValue } from '../validation/shown-value.ts';
import {
  type JobSchedule,
  MISSED_POLICIES,
  type MissedPolicy,
  OVERLAP_POLICIES,
  type OverlapPolicy,
} from './schedule.ts';
import { parseCron, slotAfter, type Timing } from './timing.ts';

/** The members of a job's own schedule. */
export const JOB_SCHEDULE_MEMBERS: MembersOf<JobSchedule> = {
  cron: true,
  every: true,
  timezone: true,
  input: true,
  missed: true,
  overlap: true,
  startAt: true,
  endAt: true,
  labels: true,
  priority: true,
};

/** The checked rule of a schedule. The place of its grid is not known before it is stored. */
export interface ScheduleRule {
  readonly timing: Omit<Timing, 'anchorMs'>;
  readonly missed: MissedPolicy;
  readonly overlap: OverlapPolicy;
}

type Given = Pick<JobSchedule, 'cron' | 'every' | 'timezone' | 'missed' | 'overlap' | 'startAt' | 'endAt'>;

const MIN_EVERY_MS = 1_000;
const MAX_CRON_LENGTH = 256;

/**
 * @param prefix stands before the name of each member in messages, such as `schedule.`
 * @throws {ValidationError} that names the bad member and its value
 */
export function parseScheduleRule(given: Given, prefix = ''): ScheduleRule {
  const { timezone = 'UTC', missed = 'skip', overlap = 'allow' } = withoutNulls(given);
  checkTimezone(`${prefix}timezone`, timezone);
  return {
    timing: {
      ...parseGrid(withoutNulls(given), timezone, prefix),
      timezone,
      ...parseBounds(withoutNulls(given), prefix),
    },
    missed: oneOf(`${prefix}missed`, missed, MISSED_POLICIES),
    overlap: oneOf(`${prefix}overlap`, overlap, OVERLAP_POLICIES),
  };
}

/** Over HTTP a member that is null counts as left out. */
function withoutNulls(given: Given): Given {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}

function parseGrid(
  { cron, every }: Given,
  timezone: string,
  prefix: string,
): Pick<Timing, 'cron' | 'everyMs'> {
  if (cron === undefined && every === undefined) {
    throw refuseMember(`${prefix}cron`, `or ${prefix}every must be given`);
  }
  if (cron !== undefined && every !== undefined) {
    throw refuseMember(
      `${prefix}cron`,
      `${shownValue(cron)} does not go with ${prefix}every ${shownValue(every)}`,
    );
  }
  if (every === undefined) return { cron: checkCron(`${prefix}cron`, cron, timezone), everyMs: null };
  const everyMs = Math.ceil(parseDuration(`${prefix}every`, every));
  // A schedule that is read has UTC.
  if (timezone !== 'UTC')
    throw refuseMember(
      `${prefix}timezone`,
      `${shownValue(timezone)} does not go with ${prefix}every: only cron has a time zone`,
    );
  if (everyMs < MIN_EVERY_MS)
    throw refuseMember(`${prefix}every`, `must be at least '1s', not ${shownValue(every)}`);
  return { cron: null, everyMs };
}

function checkCron(name: string, given: unknown, timezone: string): string {
  const shown = shownValue(given);
  if (typeof given !== 'string' || given.length > MAX_CRON_LENGTH) {
    throw refuseMember(
      name,
      `must be a cron expression of at most ${MAX_CRON_LENGTH} characters, not ${shown}`,
    );
  }
  const cron = given.trim();
  // The library takes such a text for a single point in time.
  if (cron.includes(':')) throw refuseMember(name, `${shown} is no cron expression`);
  let comes: boolean;
  try {
    comes = parseCron(cron, timezone).nextRun(new Date(0)) !== null;
  } catch (error) {
    throw refuseMember(name, `${shown} is no cron expression: ${errorMessage(error).replace(/^\w+: /, '')}`);
  }
  if (!comes) throw refuseMember(name, `${shown} never comes`);
  return cron;
}

function checkTimezone(name: string, given: unknown): asserts given is string {
  if (typeof given === 'string' && isTimezone(given)) return;
  throw refuseMember(name, `must be an IANA time zone such as Europe/Berlin, not ${shownValue(given)}`);
}

function isTimezone(timezone: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: timezone });
    return true;
  } catch {
    return false;
  }
}

function parseBounds({ startAt, endAt }: Given, prefix: string): Pick<Timing, 'startAtMs' | 'endAtMs'> {
  const startAtMs = startAt === undefined ? null : parseTime(`${prefix}startAt`, startAt);
  const endAtMs = endAt === undefined ? null : parseTime(`${prefix}endAt`, endAt);
  if (startAtMs !== null && endAtMs !== null && endAtMs <= startAtMs) {
    throw refuseMember(
      `${prefix}endAt`,
      `must be after ${prefix}startAt ${shownTime(startAtMs)}, not ${shownTime(endAtMs)}`,
    );
  }
  return { startAtMs, endAtMs };
}

/** Refuses a new timing that lies in the past, or that has no slot. @throws {ValidationError} */
export function checkAhead(timing: Timing, nowMs: number): void {
  const { startAtMs, endAtMs } = timing;
  if (startAtMs !== null && startAtMs < nowMs) {
    throw refuseMember('startAt', `must not be over, but ${shownTime(startAtMs)} is`);
  }
  if (endAtMs !== null && endAtMs <= nowMs) {
    throw refuseMember('endAt', `must not be over, but ${shownTime(endAtMs)} is`);
  }
  if (slotAfter(timing, nowMs) !== null) return;
  if (endAtMs !== null) throw refuseMember('endAt', `leaves no slot before ${shownTime(endAtMs)}`);
  throw refuseMember('cron', `${shownValue(timing.cron)} never comes`);
}

const shownTime = (ms: number) => new Date(ms).toISOString();

function oneOf<T extends string>(name: string, given: unknown, known: readonly T[]): T {
  const found = known.find((each) => each === given);
  if (found !== undefined) return found;
  throw refuseMember(name, `must be one of ${known.join(', ')}, not ${shownValue(given)}`);
}

/** The timing as it is compared and stored: JSON text. */
export function encodeTiming({
  cron,
  everyMs,
  timezone,
  startAtMs,
  endAtMs,
}: ScheduleRule['timing']): string {
  return JSON.stringify({ cron, everyMs, timezone, startAtMs, endAtMs });
}
