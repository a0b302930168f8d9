import type { Call } from '../../../../core/call.ts';
import type { BulkChanges, BulkCommand, BulkRun } from '../../../../core/managing/run-bulk.ts';
import { RUN_TRANSITIONS, type RunCommand, type RunStatus } from '../../../../core/run.ts';
import type { Rows, WriteKind } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import { CANCELLED, RETRIED, toCancelledRun } from '../commands.ts';
import { readCurrent } from '../current-reads.ts';
import { PLACES } from '../places.ts';
import { leavesBelow, runsAbove, TO_BE_VISITED } from '../transitions.ts';

/** Each has the conditions after it. The runs below cancelled ones are cancelled afterwards, because they may be many. */
const CHANGES: Record<RunCommand, string> = {
  cancel: `update durably_runs set ${CANCELLED}, cancels_below = iif(exists (
    select 1 from durably_runs c indexed by durably_runs_by_parent where c.parent_run_id = durably_runs.id
  ), seq, 0)`,
  retry: `update durably_runs set ${RETRIED}`,
  delete: 'delete from durably_quick_deletions',
};

const ABOVE = `with ${runsAbove('select value from json_each(?1)')}`;
const BEFORE: Record<RunCommand, string> = { cancel: '', retry: ABOVE, delete: ABOVE };

const CONDITIONS: Record<RunCommand, string> = {
  cancel: '',
  retry: ` and not ${leavesBelow('durably_runs')} and id not in (${TO_BE_VISITED})`,
  delete: ` and not ${leavesBelow('durably_quick_deletions')} and id not in (${TO_BE_VISITED})`,
};

const LEFT_ALONE = `
${ABOVE}
select 1 as one from durably_runs r
where r.id in (select value from json_each(?1)) and (${leavesBelow('r')} or r.id in (${TO_BE_VISITED})) limit 1`;

const BELOW: Record<RunCommand, string> = { cancel: 'cancels_below > 0', retry: '0', delete: '0' };

interface Answer {
  readonly rows: Rows;
  readonly isSentAgain: boolean;
}

const bulkCommands: WriteKind<BulkCommand, Answer> = {
  name: 'bulk command',
  place: PLACES.command,
  sizeOf: ({ runs }) => ({ rows: runs.length, chars: runs.length * ID_CHARS }),
  compile: (members, { sentAgain }) => ({
    statements: members.map(({ name, runs, statuses }) => ({
      sql: `${BEFORE[name]}
${CHANGES[name]}
where id in (select value from json_each(?1)) and +status in (${statuses.map((status) => `'${status}'`).join(', ')})${CONDITIONS[name]}
returning id, job_name, ${BELOW[name]} as below`,
      parameters: [idsOf(runs)],
    })),
    decode: (answers) =>
      members.map((_, i) => ({ rows: answers[i] ?? [], isSentAgain: sentAgain[i] === true })),
  }),
};

const ID_CHARS = 32;

/** Changes runs in one statement. The state of each decides. */
export async function commandAll(
  connection: Connection,
  command: BulkCommand,
  { deadlineMs = connection.callerDeadline() }: Call = {},
): Promise<BulkChanges> {
  const { rows, isSentAgain } = await connection.lane.submit(bulkCommands, command, deadlineMs);
  const changed = rows.map(toCancelledRun);
  if (changed.length < command.runs.length && (isSentAgain || command.name !== 'cancel')) {
    return {
      // The command may have been sent before, and may have changed some runs then.
      changed: isSentAgain ? await changedBefore(connection, { ...command, deadlineMs }, changed) : changed,
      leavesBelow:
        command.name === 'cancel' || (await leavesSomeAlone(connection, { ...command, deadlineMs })),
    };
  }
  return { changed, leavesBelow: rows.some(({ below }) => below === 1) };
}

async function leavesSomeAlone(
  connection: Connection,
  { runs, deadlineMs }: BulkCommand & Call,
): Promise<boolean> {
  const statement = { sql: LEFT_ALONE, parameters: [idsOf(runs)], deadlineMs };
  return (await readCurrent<{ one: number }>(connection, statement)).length > 0;
}

async function changedBefore(
  connection: Connection,
  { name, runs, deadlineMs }: BulkCommand & Call,
  changed: readonly BulkRun[],
): Promise<readonly BulkRun[]> {
  const found = await readCurrent<{ id: string; status: RunStatus; last_command: RunCommand | null }>(
    connection,
    {
      sql: 'select id, status, last_command from durably_runs where id in (select value from json_each(?))',
      parameters: [idsOf(runs)],
      deadlineMs,
    },
  );
  const states = new Map(found.map((run) => [run.id, run]));
  const ids = new Set(changed.map(({ runId }) => runId));
  const { from } = RUN_TRANSITIONS[name];
  return runs.filter(({ runId }) => {
    if (ids.has(runId)) return true;
    const state = states.get(runId);
    if (state === undefined || name === 'delete') return state === undefined && name === 'delete';
    return state.last_command === name && !from.some((status) => status === state.status);
  });
}

function idsOf(runs: readonly BulkRun[]): string {
  return JSON.stringify(runs.map(({ runId }) => runId));
}
