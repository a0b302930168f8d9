import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { errorMessage } from '../core/errors/error-text.ts';
import { addChanging } from './commands/changing.ts';
import { addDoctor } from './commands/doctor.ts';
import { addManaging } from './commands/managing.ts';
import { addReading } from './commands/reading.ts';
import { addServing } from './commands/serving.ts';
import { addTrigger } from './commands/triggering.ts';
import { addWatch } from './commands/watching.ts';
import { EXIT, type ExitCode, explain } from './exit.ts';
import { urlOf, VARIABLES } from './session.ts';

const HELP = `
Variables of the environment:
${Object.entries(VARIABLES)
  .map(([name, text]) => `  ${name.padEnd(16)} ${text}`)
  .join('\n')}

Examples:
  $ durably serve ./jobs.ts
  $ durably trigger greet --input '{"name": "Ada"}' --watch
  $ durably runs --status failed
  $ durably logs 01M821TY -f

Exit codes: 0 done, 3 wrong usage, 4 refused or gone wrong, 5 the service can't be reached.
Those of a run that was watched: 0 completed, 1 failed, 2 cancelled.
`;

/** Runs a command, and returns the exit code. Errors are told in one line. */
export async function runCommand(args: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = EXIT.done;
  const end = (given: ExitCode) => {
    code = given;
  };
  const program = createProgram(end);
  let running: Command | undefined;
  program.hook('preAction', (_program, command) => {
    running = command;
  });
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    const isClosed = error.code === 'EPIPE';
    if (running?.name() === 'serve' || (isClosed && running !== undefined && isWatch(running))) return;
    // A reader such as `head` may close its end.
    if (!isClosed) tell(`the output can't be written: ${errorMessage(error)}`);
    process.exit(isClosed ? code : EXIT.refused);
  });
  process.stderr.on('error', () => undefined);
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    const explained = explain(error, urlOf(program.opts()));
    if (explained.line !== undefined) tell(explained.line);
    return explained.code;
  }
}

/** Whether the command follows a run and exits as the run ends, even if nobody reads on. */
function isWatch(command: Command): boolean {
  return command.name() === 'watch' || command.opts().watch === true;
}

function createProgram(end: (code: ExitCode) => void): Command {
  const program = new Command('durably')
    .description('Durable jobs: run a service, trigger runs and follow them')
    .version(versionOf())
    .option('--url <url>', 'the service with its base path (DURABLY_URL)')
    .option('--api-key <key>', 'a key of the service (DURABLY_API_KEY)')
    .option('--json', 'print JSON, one line for each object')
    .showHelpAfterError(false)
    .exitOverride()
    .configureOutput({
      outputError: (text) =>
        tell(
          text
            .replace(/^error: /, '')
            .trim()
            .replace(/\s*\n\s*/g, ' '),
        ),
    })
    .addHelpText('after', HELP);
  addServing(program);
  addTrigger(program, end);
  addReading(program);
  addWatch(program, end);
  addChanging(program, end);
  addManaging(program);
  addDoctor(program, end);
  return program;
}

function tell(line: string): void {
  process.stderr.write(`durably: ${line}\n`);
}

function versionOf(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : '';
}
