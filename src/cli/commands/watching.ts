import type { Command } from 'commander';
import type { ConnectionState, JournalEvent } from '../../client.ts';
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
  const view = session.isLive ? await liveView(session, run) : lineView(session);
  try {
    for await (const event of session.client.run(runId).events({ onConnection: view.tell })) {
      run.take(event);
      view.take(event);
    }
  } finally {
    view.end();
  }
  if (run.status === 'completed') return EXIT.done;
  const ended = await session.client.getRun(runId);
  return exitCodeOf(ended?.status ?? run.status);
}

/** How a run is shown while it is watched. */
interface View {
  take(event: JournalEvent): void;
  /** Says that the connection was lost, because nothing moves then. */
  tell(state: ConnectionState): void;
  end(): void;
}

function lineView({ show, colors }: Session): View {
  return {
    take: (event) => show(event, () => eventLine(event, colors)),
    tell: (state) => {
      if (state.kind === 'lost') process.stderr.write(`${colors.dim(`durably: ${lostText(state)}`)}\n`);
    },
    end: () => undefined,
  };
}

/** A picture that is drawn again and again. */
async function liveView({ colors }: Session, run: WatchedRun): Promise<View> {
  // Loaded when needed.
  const { createLogUpdate } = await import('log-update');
  const picture = createLogUpdate(process.stdout);
  let timer: NodeJS.Timeout | undefined;
  let lost = '';
  const draw = () => {
    timer = undefined;
    picture([...run.lines(colors), ...(lost === '' ? [] : [colors.yellow(lost)])].join('\n'));
  };
  const drawSoon = () => {
    timer ??= setTimeout(draw, DRAW_EVERY_MS);
  };
  return {
    take: drawSoon,
    tell: (state) => {
      lost = state.kind === 'lost' ? lostText(state) : '';
      drawSoon();
    },
    end: () => {
      clearTimeout(timer);
      draw();
      picture.done();
    },
  };
}

function lostText({ retryInMs }: ConnectionState & { readonly kind: 'lost' }): string {
  return `the connection was lost; trying again in ${Math.ceil(retryInMs / 1_000)} s`;
}
