import type { Command } from 'commander';
import {
  type ConnectionState,
  type JournalEvent,
  NotFoundError,
  type Run,
  type StreamOptions,
} from '../../client.ts';
import { type ExitCode, exitCodeOf, isEnded } from '../exit.ts';
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

/** What watching a run needs of the session. */
export interface Watching extends Pick<Session, 'isLive' | 'show' | 'colors'> {
  readonly client: {
    runEvents(runId: string, options: StreamOptions): AsyncIterable<JournalEvent>;
    getRun(runId: string): Promise<Pick<Run, 'status'> | null>;
  };
}

/**
 * Follows a run to its end, and returns the exit code that tells how it ended. A run that was retried in the meantime is
 * followed further.
 */
export async function watchRun(session: Watching, runId: string): Promise<ExitCode> {
  const { client } = session;
  const run = new WatchedRun(runId);
  const view = session.isLive ? await liveView(session, run) : lineView(session);
  let after: number | undefined;
  try {
    for (;;) {
      try {
        for await (const event of client.runEvents(runId, { after, onConnection: view.tell })) {
          after = event.sequence;
          run.take(event);
          view.take(event);
        }
      } catch (error) {
        throw error instanceof NotFoundError ? deleted(runId) : error;
      }
      // Somebody may have retried the run after its last event was sent.
      const status = run.status === 'completed' ? run.status : (await client.getRun(runId))?.status;
      const last = status ?? run.status;
      if (isEnded(last)) return exitCodeOf(last);
      if (status === undefined) throw deleted(runId);
    }
  } finally {
    view.end();
  }
}

/** The run was there when its id was given, so that the mistake is not in the command. */
function deleted(runId: string): Error {
  return new Error(`Run ${runId} was deleted`);
}

/** How a run is shown while it is watched. */
interface View {
  take(event: JournalEvent): void;
  /** Says that the connection was lost, because nothing moves then. */
  tell(state: ConnectionState): void;
  end(): void;
}

function lineView({ show, colors }: Watching): View {
  return {
    take: (event) => show(event, () => eventLine(event, colors)),
    tell: (state) => {
      if (state.kind === 'lost') process.stderr.write(`${colors.dim(`durably: ${lostText(state)}`)}\n`);
    },
    end: () => undefined,
  };
}

/** A picture that is drawn again and again. */
async function liveView({ colors }: Watching, run: WatchedRun): Promise<View> {
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
