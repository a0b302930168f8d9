import type { Command } from 'commander';
import { EXIT, type ExitCode, exitCodeOf } from '../exit.ts';
import { findRunId } from '../run-ids.ts';
import { type Session, sessionOf } from '../session.ts';
import { eventLine, WatchedRun } from '../view/watched-run.ts';

/** How often the picture is drawn at most. */
const DRAW_EVERY_MS = 50;

/** Adds `watch`. */
export function addWatch(program: Command, end: (code: ExitCode) => void): void {
  program
    .command('watch <id>')
    .description(
      'Follow a run until it ends. Exits with 0 if it completed, 1 if it failed, 2 if it was cancelled',
    )
    .addHelpText('after', '\nExample:\n  $ durably watch 01M821TY')
    .action(async (id: string, _options, command: Command) => {
      const session = sessionOf(command);
      end(await watchRun(session, await findRunId(session.client, id)));
    });
}

/** Follows a run to its end, and returns the exit code that tells how it ended. */
export async function watchRun(session: Session, runId: string): Promise<ExitCode> {
  const run = new WatchedRun(runId);
  const picture = session.isLive ? await createPicture() : undefined;
  let drawnMs = 0;
  for await (const event of session.client.run(runId).events({ onConnection: tellOf(session) })) {
    run.take(event);
    if (picture === undefined) {
      session.show(event, () => eventLine(event, session.colors));
    } else if (performance.now() - drawnMs >= DRAW_EVERY_MS) {
      picture(run.lines(session.colors).join('\n'));
      drawnMs = performance.now();
    }
  }
  picture?.(run.lines(session.colors).join('\n'));
  picture?.done();
  if (run.status === 'completed') return EXIT.done;
  const ended = await session.client.getRun(runId);
  return exitCodeOf(ended?.status ?? run.status);
}

/** Loaded when needed. */
async function createPicture() {
  const { createLogUpdate } = await import('log-update');
  return createLogUpdate(process.stdout);
}

/** Says on the error output that the connection was lost, because nothing moves then. */
function tellOf({ isLive, colors }: Session) {
  return (state: { readonly kind: 'open' } | { readonly kind: 'lost'; readonly retryInMs: number }): void => {
    if (state.kind === 'open' || isLive) return;
    const seconds = Math.ceil(state.retryInMs / 1_000);
    process.stderr.write(`${colors.dim(`durably: the connection was lost; trying again in ${seconds} s`)}\n`);
  };
}
