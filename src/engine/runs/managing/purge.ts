import { newCall } from '../../../core/call.ts';
import { type PurgeOptions, parseEndedStatuses } from '../../../core/managing/retention.ts';
import { type BulkResult, MAX_BULK } from '../../../core/managing/run-bulk.ts';
import { parseDuration } from '../../../core/time/duration.ts';
import { checkMembers, type MembersOf } from '../../../core/validation/known-names.ts';
import { refusalOf } from '../../../core/validation/refusal.ts';
import { shownValue } from '../../../core/validation/shown-value.ts';
import type { RunsDeps } from '../runs-deps.ts';

const OPTIONS: MembersOf<PurgeOptions> = { olderThan: true, status: true, limit: true };

/** Deletes old runs in portions, so that other writes don't wait long. */
export async function purgeRuns(
  {
    store,
    bus,
    housekeeping,
    isResident,
    clock,
  }: Pick<RunsDeps, 'store' | 'bus' | 'housekeeping' | 'isResident' | 'clock'>,
  options: PurgeOptions,
): Promise<BulkResult> {
  checkMembers('purgeRuns option', options, OPTIONS);
  const { olderThan, status, limit = MAX_BULK } = options ?? {};
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_BULK) {
    const message = `limit must be a whole number from 1 to ${MAX_BULK}, not ${shownValue(limit)}`;
    throw refusalOf([{ path: ['limit'], message }]);
  }
  const olderThanMs = parseDuration('olderThan', olderThan);
  const ages = parseEndedStatuses(status).map((each) => ({ status: each, olderThanMs }));
  const call = newCall(clock);
  let count = 0;
  let leavesRows = false;
  while (count < limit) {
    const { runs, leavesMore } = await store.purgeRuns({ ages, limit: limit - count }, call);
    if (runs.length === 0) break;
    bus.publish(runs.map((run) => ({ run, note: { type: 'run:delete' } })));
    count += runs.length;
    leavesRows ||= leavesMore;
  }
  if (leavesRows && isResident) housekeeping.clearUp();
  else if (leavesRows) await housekeeping.clearUpAfterDeletion({ leavesMore: true }, call);
  return { count, more: count === limit && (await store.hasOldRuns(ages, call)) };
}
