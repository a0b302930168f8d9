import type { Command } from 'commander';
import type { ClientRun } from '../../client.ts';
import { readJson } from '../arguments.ts';
import type { ExitCode } from '../exit.ts';
import { findRunId, findRunIds } from '../run-ids.ts';
import { sessionOf } from '../session.ts';
import { watchRun } from './watching.ts';

interface RunCommand {
  readonly name: string;
  readonly description: string;
  /** What was done, for people. */
  readonly done: string;
  readonly send: (run: ClientRun) => Promise<{ readonly runId: string } | void>;
}

const RUN_COMMANDS: readonly RunCommand[] = [
  {
    name: 'retry',
    description: 'Run failed or cancelled runs again. Their finished steps are kept',
    done: 'pending again',
    send: (run) => run.retry(),
  },
  {
    name: 'cancel',
    description: 'Cancel runs and the active runs below them',
    done: 'cancelled',
    send: (run) => run.cancel(),
  },
  {
    name: 'retrigger',
    description: 'Trigger a new run with the input of an earlier one',
    done: 'triggered again as',
    send: (run) => run.retrigger(),
  },
  {
    name: 'delete',
    description: 'Delete runs that are over, with their steps, logs and events',
    done: 'deleted',
    send: (run) => run.delete(),
  },
];

/** Adds what changes runs: `retry`, `cancel`, `retrigger`, `delete`, `fork`, `signal`. */
export function addChanging(program: Command, end: (code: ExitCode) => void): void {
  for (const { name, description, done, send } of RUN_COMMANDS) {
    program
      .command(`${name} <ids...>`)
      .description(description)
      .action(async (ids: string[], _flags, command: Command) => {
        const session = sessionOf(command);
        for (const runId of await findRunIds(session.client, ids)) {
          const made = await send(session.client.run(runId));
          const answer = made === undefined ? { runId } : { runId, newRunId: made.runId };
          session.show(answer, () => `${runId} ${done}${made === undefined ? '' : ` ${made.runId}`}`);
        }
      });
  }

  program
    .command('fork <id>')
    .description('Trigger a new run in which the steps before one of an earlier run are done already')
    .requiredOption('--from <step>', 'the name of the step from which the new run goes on')
    .option('-i, --input <json>', 'another input: JSON, @file, or - for the standard input')
    .option('-w, --watch', 'follow the new run until it ends')
    .action(
      async (id: string, flags: { from: string; input?: string; watch?: boolean }, command: Command) => {
        const session = sessionOf(command);
        const input = await readJson('--input', flags.input);
        const runId = await findRunId(session.client, id);
        const fork = await session.client.run(runId).fork({ from: flags.from, input });
        session.show({ runId, newRunId: fork.runId }, () => `${runId} forked as ${fork.runId}`);
        if (flags.watch === true) end(await watchRun(session, fork.runId));
      },
    );

  program
    .command('signal <id> <name>')
    .description('Tell an active run something, for its step.waitForSignal to take')
    .option('-p, --payload <json>', 'what the step gets: JSON, @file, or - for the standard input')
    .option('--signal-id <id>', 'sent again with the same one, the signal changes nothing')
    .addHelpText('after', `\nExample:\n  $ durably signal 01M821TY approval --payload '{"ok": true}'`)
    .action(
      async (id: string, name: string, flags: { payload?: string; signalId?: string }, command: Command) => {
        const session = sessionOf(command);
        const payload = await readJson('--payload', flags.payload);
        const runId = await findRunId(session.client, id);
        const sent = await session.client.signal(runId, name, payload, { signalId: flags.signalId });
        session.show({ runId, ...sent }, () => `${runId} ${sent.disposition}`);
      },
    );
}
