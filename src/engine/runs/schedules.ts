import { NotFoundError, ValidationError } from '../../core/errors/errors.ts';
import { newRunId } from '../../core/id.ts';
import { decodeJson, isStorableText } from '../../core/json/json.ts';
import { MAX_KEY_LENGTH, parseRun, type Run } from '../../core/run.ts';
import { JOB_SCHEDULE_MEMBERS } from '../../core/schedules/rule.ts';
import type { Schedule, ScheduleRequest, StoredSchedule } from '../../core/schedules/schedule.ts';
import { slotAfter, slotsAfter } from '../../core/schedules/timing.ts';
import { toIsoTime } from '../../core/time/clock.ts';
import type { Labels } from '../../core/triggers/labels.ts';
import { checkMembers, checkNoOptions, type MembersOf } from '../../core/validation/known-names.ts';
import { refusalOf } from '../../core/validation/refusal.ts';
import { shownValue } from '../../core/validation/shown-value.ts';
import { fixedError, putSchedule } from '../schedules/put-schedule.ts';
import type { RunsDeps } from './runs-deps.ts';

type ScheduleDeps = Pick<RunsDeps, 'store' | 'registry' | 'worker' | 'bus' | 'plugins' | 'maxInputBytes'>;

const REQUEST: MembersOf<ScheduleRequest> = { id: true, jobName: true, ...JOB_SCHEDULE_MEMBERS };

/** How many of its next slots a schedule shows. */
const SHOWN_SLOTS = 5;

/** Stores a schedule, or changes it. If it is the same, nothing changes. */
export async function schedule(deps: ScheduleDeps, request: ScheduleRequest): Promise<Schedule> {
  if (request === undefined) throw new ValidationError('schedule must be given an object');
  checkMembers('schedule member', request, REQUEST);
  const { id, jobName, ...rule } = request;
  checkScheduleId(id);
  const job = deps.registry.find(jobName);
  const stored = await putSchedule(deps, { id, job, schedule: rule, by: { kind: 'caller' } });
  deps.worker.schedules.noteChanged(stored);
  return toSchedule(stored);
}

/** All schedules, by id. */
export async function getSchedules(
  { store }: Pick<ScheduleDeps, 'store'>,
  options?: unknown,
): Promise<Schedule[]> {
  checkNoOptions('getSchedules', options);
  const schedules: Schedule[] = [];
  for await (const page of store.listSchedules()) schedules.push(...page.map(toSchedule));
  return schedules;
}

/** @throws {NotFoundError} @throws {ConflictError} for one of a job's definition */
export async function deleteSchedule({ store }: Pick<ScheduleDeps, 'store'>, id: string): Promise<void> {
  checkScheduleId(id);
  const result = await store.deleteSchedule({ id });
  if (result === 'not-found') throw notFound();
  if (result === 'fixed') throw fixedError(id);
}

/** @throws {NotFoundError} */
export async function pauseSchedule({ store }: Pick<ScheduleDeps, 'store'>, id: string): Promise<void> {
  checkScheduleId(id);
  if (!(await store.pauseSchedule(id))) throw notFound();
}

/** It goes on with its next slot after now. @throws {NotFoundError} */
export async function resumeSchedule(
  { store, worker }: Pick<ScheduleDeps, 'store' | 'worker'>,
  id: string,
): Promise<void> {
  checkScheduleId(id);
  for (;;) {
    const { schedule: known, nowMs } = await store.getSchedule(id);
    if (known === null) throw notFound();
    if (!known.isPaused) return;
    const { revision, timing } = known;
    const resumed = await store.resumeSchedule({ id, revision, nextAtMs: slotAfter(timing, nowMs) });
    if (resumed === null) throw notFound();
    // It is still paused if it was changed meanwhile.
    if (resumed.isPaused) continue;
    worker.schedules.noteChanged(resumed);
    return;
  }
}

/** A run beside the slots, whatever other runs of the schedule are active. @throws {NotFoundError} */
export async function fireSchedule(
  { store, worker, bus }: Pick<ScheduleDeps, 'store' | 'worker' | 'bus'>,
  id: string,
): Promise<Run> {
  checkScheduleId(id);
  const runId = newRunId();
  const firing = store.fireSchedule({ id, runId });
  // The worker's claim leaves with it.
  worker.wake();
  const jobName = await firing;
  if (jobName === undefined) throw notFound();
  bus.publish([{ run: { runId, jobName }, note: { type: 'run:trigger' } }]);
  const stored = await store.getRun(runId, { asOf: 'now' });
  if (stored === null) throw new NotFoundError('The run was deleted at once');
  return parseRun(stored);
}

function toSchedule(stored: StoredSchedule): Schedule {
  const { timing, nowMs, nextAtMs } = stored;
  return {
    id: stored.id,
    jobName: stored.jobName,
    input: decodeJson(stored.payload),
    cron: timing.cron,
    every: timing.everyMs,
    timezone: timing.timezone,
    missed: stored.missed,
    overlap: stored.overlap,
    startAt: timeOrNull(timing.startAtMs),
    endAt: timeOrNull(timing.endAtMs),
    labels: stored.labels === null ? {} : (decodeJson(stored.labels) as Labels),
    priority: stored.priority,
    isPaused: stored.isPaused,
    isFixed: stored.fixedVersion !== null,
    createdAt: toIsoTime(stored.createdAtMs),
    updatedAt: toIsoTime(stored.updatedAtMs),
    next: nextAtMs === null ? [] : slotsAfter(timing, nowMs, SHOWN_SLOTS).map(toIsoTime),
  };
}

const timeOrNull = (ms: number | null) => (ms === null ? null : toIsoTime(ms));

const notFound = () => new NotFoundError('Schedule not found');

/** @throws {ValidationError} */
function checkScheduleId(id: unknown): asserts id is string {
  const refuse = (message: string) => refusalOf([{ path: ['id'], message: `id ${message}` }]);
  if (typeof id !== 'string') throw refuse(`must be a string, not ${shownValue(id)}`);
  if (id.length < 1 || id.length > MAX_KEY_LENGTH) {
    throw refuse(`must have 1 to ${MAX_KEY_LENGTH} characters, not ${shownValue(id)}`);
  }
  if (!isStorableText(id)) throw refuse(`must not hold a lone surrogate or a NUL, as ${shownValue(id)} does`);
}
