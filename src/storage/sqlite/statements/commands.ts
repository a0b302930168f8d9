import { RUN_TRANSITIONS, type RunCommand, type RunStatus } from '../../../core/run.ts';
import type { CommandResult } from '../../../core/store.ts';
import type { Rows, Sql, WriteKind } from '../../writes.ts';
import type { Connection } from '../connection/connection.ts';
import { NOW_MS } from '../sql.ts';
import { LEAVES_MORE } from './deletions.ts';
import { PLACES } from './places.ts';
import { isFrom, statusAfter } from './transitions.ts';

const CHANGES: Record<RunCommand, string> = {
  cancel: `update durably_runs set status = ${statusAfter('cancel')}, last_command = 'cancel', completed_at = ${NOW_MS}, updated_at = ${NOW_MS}`,
  retry: `update durably_runs set status = ${statusAfter('retry')}, last_command = 'retry', claim_kind = 'start', error = null, error_detail = null, failed_step_name = null,
    output = null, progress = null, completed_at = null, heartbeat_at = null, lost_count = 0, retry_count = 0, updated_at = ${NOW_MS}`,
  delete: 'delete from durably_runs',
};

/** Additional columns of a command's answer. */
const ANSWERS: Partial<Record<RunCommand, string>> = { delete: `, ${LEAVES_MORE} as leaves_more` };

/** The run as the command has left it: of one that changed nothing it says why. */
const STATE = 'select job_name, status from durably_runs where id = ?';

interface Command {
  readonly name: RunCommand;
  readonly runId: string;
}

/** What a command's statement answered, and the run's state after it where that came along. */
interface Answer {
  readonly changed: Row | undefined;
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
      members.map((_, i): Answer => {
        const isSentAgain = sentAgain[i] === true;
        if (!isRemote) return { changed: answers[i]?.[0], found: 'not-read', isSentAgain };
        return { changed: answers[2 * i]?.[0], found: answers[2 * i + 1]?.[0], isSentAgain };
      }),
  }),
};

/**
 * Changes a run if the transition is legal in its state. Of racing callers one changes
 * it, and the others learn which state they found.
 */
export async function command(
  connection: Connection,
  name: RunCommand,
  runId: string,
): Promise<CommandResult> {
  const deadlineMs = connection.callerDeadline();
  const answer = await connection.lane.submit(commands, { name, runId }, deadlineMs);
  const { changed, isSentAgain: mayBeOurs } = answer;
  if (changed) return done(String(changed.job_name), { leavesMore: changed.leaves_more === 1 });
  let { found } = answer;
  if (found === 'not-read') {
    [found] = await connection.execute<Row>({ sql: STATE, parameters: [runId], deadlineMs });
  }
  // An earlier sending may have changed the run.
  if (!found) return mayBeOurs && name === 'delete' ? done('', { leavesMore: true }) : NOT_FOUND;
  const status = found.status as RunStatus;
  if (mayBeOurs && isAfter(name, status)) return done(String(found.job_name));
  return { kind: 'wrong-state', status };
}

const NOT_FOUND = { kind: 'not-found' } as const;

function changeOf(name: RunCommand): string {
  return `${CHANGES[name]} where id = ? and ${isFrom(name)} returning job_name${ANSWERS[name] ?? ''}`;
}

function done(jobName: string, { leavesMore } = { leavesMore: false }): CommandResult {
  return { kind: 'done', jobName, leavesMore };
}

/** Whether the command may have led to that state. A retried run may run or be completed by now. */
function isAfter(name: RunCommand, status: RunStatus): boolean {
  const { from, to } = RUN_TRANSITIONS[name];
  return name === 'retry' ? !from.some((each) => each === status) : status === to;
}
