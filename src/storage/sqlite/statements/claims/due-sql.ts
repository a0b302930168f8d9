import { NOW_MS } from '../../sql.ts';
import { isFrom, statusAfter } from '../transitions.ts';

/** SQL: whether the run's time is up. Such a run fails, and is not started. */
export const IS_OVERDUE = `deadline_at <= ${NOW_MS}`;

/** SQL: the error of a run whose time is up. */
export const OVERDUE_ERROR = `iif(started_at is null, 'not started within ' || ttl, 'timed out after ' || timeout)`;
export const OVERDUE_DETAIL = `iif(started_at is null,
  json_object('name', 'RunExpiredError', 'message', ${OVERDUE_ERROR}),
  json_object('name', 'RunTimeoutError', 'message', ${OVERDUE_ERROR}, 'code', 'RUN_TIMEOUT')
)`;

/** SQL: whether runs below the run may be active. One that was never started has started none. */
export const CANCELS_BELOW = `iif(${IS_OVERDUE} and started_at is not null, 1, cancels_below)`;

/** The most runs that are woken, and that fail, at once, because other writes wait meanwhile. */
export const MAX_WOKEN = 200;

/**
 * Makes waiting runs pending whose time has come. They keep their places in the order. Fails runs
 * whose time is up, whatever their jobs. The owner of a running run knows the time, too, so it gets
 * a while to fail the run itself. ?1 how long that is, in ms.
 *
 * The fence of a run that fails rises. This makes a trigger store the event, and refuses the owner's
 * writes. `|| ''` keeps the detail a text inside of the returned JSON.
 */
export const WAKE = `
update durably_runs set
  status = iif(${IS_OVERDUE}, ${statusAfter('timeOut')}, ${statusAfter('wake')}),
  error = iif(${IS_OVERDUE}, ${OVERDUE_ERROR}, null),
  error_detail = iif(${IS_OVERDUE}, ${OVERDUE_DETAIL}, null),
  completed_at = iif(${IS_OVERDUE}, ${NOW_MS}, null),
  fence = fence + coalesce(${IS_OVERDUE}, 0),
  cancels_below = ${CANCELS_BELOW},
  due_at = null, waits = null, due_since = iif(started_at is null, min(coalesce(due_at, ${NOW_MS}), ${NOW_MS}), due_since), updated_at = ${NOW_MS}
where seq in (
  select seq from (
    select w.seq from durably_runs w indexed by durably_runs_due
    where ${isFrom('wake', 'w')} and w.due_at <= ${NOW_MS}
    order by w.due_at limit ${MAX_WOKEN}
  )
  union all
  select seq from (
    select d.seq from durably_runs d indexed by durably_runs_deadlines
    where ${isFrom('timeOut', 'd')} and d.deadline_at <= ${NOW_MS}
      and (d.status <> 'running' or d.deadline_at <= ${NOW_MS} - ?1)
    order by d.deadline_at limit ${MAX_WOKEN}
  )
)
returning iif(status = ${statusAfter('timeOut')}, json_object(
  'runId', id, 'jobName', job_name, 'attempt', attempt, 'error', error, 'detail', error_detail || ''
), null) as failed`;
