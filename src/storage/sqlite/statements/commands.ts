import type { Call } from '../../../core/call.ts';
import type { CancelledRun } from '../../../core/ownership/claim.ts';
import { RUN_TRANSITIONS, type RunCommand, type RunStatus } from '../../../core/run.ts';
import type { CommandResult } from '../../../core/store.ts';
import type { Rows, Sql, WriteKind } from '../../writes.ts';
import type { Connection } from '../connection/connection.ts';
import { NOW_MS } from '../sql.ts';
import { LEAVES_MORE } from './deletions.ts';
import { PLACES } from './places.ts';
import { isFrom, leavesBelow, runsAbove, statusAfter, TO_BE_VISITED } from './transitions.ts';

/** The most runs that a command cancels at once, because other writes wait meanwhile. The chore cancels the others. */
const MAX_TREE = 200;

/** A run that the command may change, and the first runs below it. ?1 the run. */
const TREE = `
with recursive tree(id) as (
  select id from durably_runs where id = ?1 and ${isFrom('cancel')}
  union
  select c.id from tree t cross join durably_runs c indexed by durably_runs_by_parent
  where c.parent_run_id = t.id
  limit ${MAX_TREE}
)`;

/** What a cancellation and a retry set. */
export const CANCELLED = `status = ${statusAfter('cancel')}, last_command = 'cancel', completed_at = ${NOW_MS}, updated_at = ${NOW_MS}`;
export const RETRIED = `status = ${statusAfter('retry')}, last_command = 'retry', claim_kind = 'start', error = null, error_detail = null, failed_step_name = null,
    output = null, progress = null, completed_at = null, heartbeat_at = null, lost_count = 0, retry_count = 0,
    holds = 0, cancels_below = 0, key_turn = (key_turn & 1) | iif(coalesce(limit_key, rate_key) is null, 0, 2),
    deadline_at = iif(started_at is null, ${NOW_MS} + ttl_ms, null), due_since = iif(started_at is null, ${NOW_MS}, due_since),
    updated_at = ${NOW_MS}`;

const ABOVE = `with ${runsAbove('select ?1')}`;
const IS_VISITED = `not ${leavesBelow('durably_runs')} and id not in (${TO_BE_VISITED})`;

/** Each is followed by the condition that the run's status allows it, and by what is returned. ?1 the run. */
const CHANGES: Record<RunCommand, string> = {
  cancel: `${TREE}
update durably_runs set ${CANCELLED},
  cancels_below = iif(id = ?1 and (select count(*) from tree) = ${MAX_TREE}, seq, cancels_below)
where id in (select id from tree)`,
  retry: `${ABOVE}
update durably_runs set ${RETRIED} where id = ?1 and ${IS_VISITED}`,
  delete: `${ABOVE}
delete from durably_runs where id = ?1 and ${IS_VISITED}`,
};

/** Additional columns of a command's answer. */
const ANSWERS: Partial<Record<RunCommand, string>> = {
  cancel: ', cancels_below > 0 as leaves_more',
  delete: `, ${LEAVES_MORE} as leaves_more`,
};

/** The run after the command. It shows why a command changed nothing. */
const STATE = 'select job_name, status from durably_runs where id = ?';

interface Command {
  readonly name: RunCommand;
  readonly runId: string;
}

/** The rows of a command's statement, and the run's state after it if that came along. */
interface Answer {
  readonly changed: Row | undefined;
  /** The runs below it that were changed with it. */
  readonly others: readonly Row[];
  readonly found: Row | undefined | 'not-read';
  readonly isSentAgain: boolean;
}

type Row = Rows[number];

/** Commands in the order in which they came. */
const commands: WriteKind<Command, Answer> = {
  name: 'command',
  place: PLACES.command,
  sizeOf: () => ({ rows: 1, chars: 0 }),
  compile: (members, { sentAgain, isRemote }) => ({
    statements: members.flatMap(({ name, runId }): Sql[] => {
      const change = { sql: changeOf(name), parameters: [runId] };
      return isRemote ? [change, { kind: 'read', sql: STATE, parameters: [runId] }] : [change];
    }),
    decode: (answers) =>
      members.map(({ runId }, i): Answer => {
        const isSentAgain = sentAgain[i] === true;
        const rows = answers[isRemote ? 2 * i : i] ?? [];
        const changed = rows.find(({ id }) => id === runId);
        const others = rows.filter((row) => row !== changed);
        return { changed, others, found: isRemote ? answers[2 * i + 1]?.[0] : 'not-read', isSentAgain };
      }),
  }),
};

/**
 * Changes a run if the transition is legal in its state. Of racing callers one changes
 * it, and the others learn which state they found.
 */
export async function command(
  connection: Connection,
  { name, runId }: Command,
  { deadlineMs = connection.callerDeadline() }: Call = {},
): Promise<CommandResult> {
  const answer = await connection.lane.submit(commands, { name, runId }, deadlineMs);
  const { changed, others, isSentAgain: mayBeOurs } = answer;
  if (changed) {
    const alsoCancelled = others.map(({ id, job_name }) => ({
      runId: String(id),
      jobName: String(job_name),
    }));
    return done(String(changed.job_name), { leavesMore: changed.leaves_more === 1, alsoCancelled });
  }
  let { found } = answer;
  if (found === 'not-read') {
    [found] = await connection.execute<Row>({ sql: STATE, parameters: [runId], deadlineMs });
  }
  // The command may have been sent before, and may have changed the run then.
  if (!found) return mayBeOurs && name === 'delete' ? done('', { leavesMore: true }) : NOT_FOUND;
  const status = found.status as RunStatus;
  if (mayBeOurs && isAfter(name, status))
    return done(String(found.job_name), { leavesMore: name === 'cancel' });
  // The statement has changed no run in a legal state. A cancellation of runs below it, or above it, must end first.
  if (name !== 'cancel' && isBefore(name, status)) return { kind: 'cancels-below' };
  return { kind: 'wrong-state', status };
}

/** @param row with `id` and `job_name` */
export function toCancelledRun({ id, job_name }: Row): CancelledRun {
  return { runId: String(id), jobName: String(job_name) };
}

const NOT_FOUND = { kind: 'not-found' } as const;

function changeOf(name: RunCommand): string {
  // The id finds the rows, and no index on the status.
  return `${CHANGES[name]} and ${isFrom(name, '+durably_runs')} returning id, job_name${ANSWERS[name] ?? ''}`;
}

function done(
  jobName: string,
  {
    leavesMore = false,
    alsoCancelled = [],
  }: Partial<Omit<CommandResult & { kind: 'done' }, 'kind' | 'jobName'>> = {},
): CommandResult {
  return { kind: 'done', jobName, leavesMore, alsoCancelled };
}

/** Whether the command may have led to that state. A retried run may run or be completed by now. */
function isAfter(name: RunCommand, status: RunStatus): boolean {
  return name === 'retry' ? !isBefore(name, status) : status === RUN_TRANSITIONS[name].to;
}

function isBefore(name: RunCommand, status: RunStatus): boolean {
  return RUN_TRANSITIONS[name].from.some((each) => each === status);
}
