import { type Call, newCall } from '../../../core/call.ts';
import { ValidationError } from '../../../core/errors/errors.ts';
import type { JournalEventType } from '../../../core/events.ts';
import { parseRunFilter, type RunQuery } from '../../../core/lists/run-query.ts';
import {
  type BulkFilter,
  type BulkOptions,
  type BulkResult,
  type BulkRun,
  MAX_BULK,
} from '../../../core/managing/run-bulk.ts';
import {
  parseRun,
  RUN_STATUSES,
  RUN_TRANSITIONS,
  type RunCommand,
  type RunStatus,
  type StoredRun,
} from '../../../core/run.ts';
import type { Store } from '../../../core/store.ts';
import { checkMembers, type MembersOf } from '../../../core/validation/known-names.ts';
import { checkFunction } from '../../../core/validation/option-types.ts';
import { refusalOf } from '../../../core/validation/refusal.ts';
import { shownValue } from '../../../core/validation/shown-value.ts';
import type { RunsDeps } from '../runs-deps.ts';

const EVENTS: Record<RunCommand, JournalEventType> = {
  cancel: 'run:cancel',
  retry: 'run:retry',
  delete: 'run:delete',
};

const MEMBERS: MembersOf<BulkFilter> = {
  jobName: true,
  status: true,
  parentRunId: true,
  scheduleId: true,
  labels: true,
  createdAfter: true,
  createdBefore: true,
  q: true,
  limit: true,
  all: true,
};
const OPTIONS: MembersOf<BulkOptions> = { allow: true };

type BulkDeps = Pick<RunsDeps, 'store' | 'bus' | 'worker' | 'housekeeping' | 'isResident' | 'clock'>;

/** What a caller asks for. Everything that it waits for shares its time. */
interface BulkCall {
  readonly filter: BulkFilter;
  readonly options: BulkOptions | undefined;
  readonly call: ReturnType<typeof newCall>;
}

/** Cancels the runs that match, and then the active runs below them. */
export async function cancelRuns(
  deps: BulkDeps,
  filter: BulkFilter,
  options?: BulkOptions,
): Promise<BulkResult> {
  const call = newCall(deps.clock);
  const { result, leavesBelow } = await commandRuns(deps, 'cancel', { filter, options, call });
  if (leavesBelow) {
    await deps.housekeeping.cancelBelowNow(call);
    if (deps.isResident) deps.housekeeping.cancelBelow();
  }
  return result;
}

/** Returns the runs that match to pending, and wakes the worker. */
export async function retryRuns(
  deps: BulkDeps,
  filter: BulkFilter,
  options?: BulkOptions,
): Promise<BulkResult> {
  const { result } = await commandWhenCancelled(deps, 'retry', {
    filter,
    options,
    call: newCall(deps.clock),
  });
  if (result.count > 0) deps.worker.wake();
  return result;
}

/** Deletes the runs that match. The chores remove their steps, log lines and events. */
export async function deleteRuns(
  deps: BulkDeps,
  filter: BulkFilter,
  options?: BulkOptions,
): Promise<BulkResult> {
  const call = newCall(deps.clock);
  const { result } = await commandWhenCancelled(deps, 'delete', { filter, options, call });
  if (result.count === 0) return result;
  if (deps.isResident) deps.housekeeping.clearUp();
  else await deps.housekeeping.clearUpAfterDeletion({ leavesMore: true }, call);
  return result;
}

/**
 * A run is not retried or deleted while runs below it are yet to be cancelled. Those are cancelled, and what was left alone is
 * left for the next call.
 */
async function commandWhenCancelled(
  deps: BulkDeps,
  name: 'retry' | 'delete',
  which: BulkCall,
): Promise<{ result: BulkResult }> {
  const { result, leavesBelow } = await commandRuns(deps, name, which);
  if (!leavesBelow) return { result };
  await deps.housekeeping.cancelBelowNow(which.call);
  if (deps.isResident) deps.housekeeping.cancelBelow();
  return { result: { ...result, more: true } };
}

/**
 * Lists the runs that match, and changes them in one statement. A run whose status changes in between is left alone if it does
 * not match any more.
 */
async function commandRuns(
  { store, bus }: BulkDeps,
  name: RunCommand,
  { filter, options, call }: BulkCall,
): Promise<{ result: BulkResult; leavesBelow: boolean }> {
  checkMembers(`${name}Runs option`, options, OPTIONS);
  if (options?.allow !== undefined) checkFunction('allow', options.allow);
  const query = parseBulkFilter(name, filter);
  if (query === 'nothing') return { result: { count: 0, more: false }, leavesBelow: false };
  const { runs, more } = await listMatching({ store, call }, query, options);
  if (runs.length === 0) return { result: { count: 0, more }, leavesBelow: false };
  const { changed, leavesBelow } = await store.commandAll({ name, runs, statuses: query.statuses }, call);
  bus.publish(changed.map((run) => ({ run, note: { type: EVENTS[name] } })));
  return { result: { count: changed.length, more }, leavesBelow };
}

/** One run more than the limit shows that there are more. */
async function listMatching(
  { store, call }: Pick<BulkDeps, 'store'> & { readonly call: Call },
  query: RunQuery,
  { allow }: BulkOptions = {},
): Promise<{ runs: BulkRun[]; more: boolean }> {
  const { limit } = query;
  const listed: RunQuery = { ...query, limit: limit + 1 };
  const found = allow ? await allowedRuns(store, listed, allow) : await store.findRuns(listed, call);
  return { runs: found.slice(0, limit), more: found.length > limit };
}

/** The last run of a full list is not asked about, because it is not changed. */
async function allowedRuns(
  store: Store,
  query: RunQuery,
  allow: NonNullable<BulkOptions['allow']>,
): Promise<BulkRun[]> {
  const { portions } = await store.listRuns(query, { asOf: 'now' });
  const runs: BulkRun[] = [];
  for await (const portion of portions) {
    for (const run of portion) {
      if (runs.length < query.limit - 1) await allow(parseRun(run as StoredRun));
      runs.push({ runId: run.id ?? '', jobName: run.jobName ?? '' });
    }
  }
  return runs;
}

/**
 * The runs that the command may change among those that the filter names.
 *
 * @throws {ValidationError} for a bad filter, for one without members, and for statuses to which the command never applies.
 */
function parseBulkFilter(name: RunCommand, filter: BulkFilter): RunQuery | 'nothing' {
  const command = `${name}Runs`;
  if (filter === undefined || filter === null) throw isEmpty(command);
  checkMembers('filter member', filter, MEMBERS);
  const { all, limit = MAX_BULK, ...named } = filter;
  if (all !== undefined && typeof all !== 'boolean') {
    throw refusalOf([{ path: ['all'], message: `all must be true or false, not ${shownValue(all)}` }]);
  }
  if (all !== true && !Object.values(named).some(isGiven)) throw isEmpty(command);
  const query = parseRunFilter({ ...named, limit });
  return query === 'nothing' ? query : { ...query, statuses: applicable(name, query.statuses) };
}

function isGiven(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value !== undefined;
  return Array.isArray(value) || Object.keys(value).length > 0;
}

function isEmpty(command: string): ValidationError {
  const message = `${command} was given no filter: name the runs, or give all: true`;
  return new ValidationError(message, [{ path: [], message }]);
}

/** Statuses in which the command does nothing are left out, unless there is no other. */
function applicable(name: RunCommand, given: readonly RunStatus[]): readonly RunStatus[] {
  const { from } = RUN_TRANSITIONS[name];
  const legal = RUN_STATUSES.filter((status) => from.some((each) => each === status));
  const wanted = given.length === 0 ? legal : legal.filter((status) => given.includes(status));
  if (wanted.length > 0) return wanted;
  const message = `status must be one of ${legal.join(', ')} to ${name} runs, not ${given.join(', ')}`;
  throw refusalOf([{ path: ['status'], message }]);
}
