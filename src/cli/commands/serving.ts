import { spawn } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { endOnEarlySignals } from '../../entry/node/early-signals.ts';
import { port } from '../arguments.ts';
import { EXIT } from '../exit.ts';

interface ServeFlags {
  readonly port?: string;
  readonly host?: string;
  readonly database?: string;
  readonly open?: boolean;
}

const DATABASE_OPTION = [
  '-d, --database <place>',
  'a file, or the address of a libSQL server (TURSO_DATABASE_URL)',
] as const;

/** Adds what works here, without a service: `serve`, `migrate`. */
export function addServing(program: Command): void {
  program
    .command('serve [jobs]')
    .description('Run the service, with the jobs that a module exports. TypeScript needs no set-up')
    .option('-p, --port <port>', 'where it listens (PORT)', port)
    .option('--host <host>', 'where it listens (HOST)')
    .option(...DATABASE_OPTION)
    .option('-o, --open', 'open it in the browser')
    .addHelpText(
      'after',
      '\nExamples:\n  $ durably serve ./jobs.ts\n  $ durably serve ./jobs.ts --port 8080 --database ./jobs.db\n\nThe other settings are variables of the environment: see the README.',
    )
    .action(async (module: string | undefined, { host, database, open, ...flags }: ServeFlags) => {
      const onHandled = endOnEarlySignals();
      const jobs = module === undefined ? undefined : await jobsOf(module);
      setVariables({ PORT: flags.port, HOST: host, TURSO_DATABASE_URL: database && databaseUrl(database) });
      // It is the command's, and the service would warn of a variable that it does not know.
      delete process.env.DURABLY_URL;
      const { runService } = await import('../../entry/node/run.ts');
      const { server } = await runService({
        firstSignal: 'drains',
        failureCode: EXIT.refused,
        onHandled,
        jobs,
      });
      if (open !== true) return;
      const { addressOf } = await import('../../entry/node/server.ts');
      openInBrowser(addressOf(server));
    });

  program
    .command('migrate')
    .description('Bring the schema of the database up to date, without starting the service')
    .option(...DATABASE_OPTION)
    .action(async ({ database }: ServeFlags, command: Command) => {
      setVariables({ TURSO_DATABASE_URL: database && databaseUrl(database) });
      const { migrateDatabase } = await import('../../entry/node/migrate-database.ts');
      await migrateDatabase(process.env);
      const isJson = command.optsWithGlobals().json === true;
      process.stdout.write(isJson ? '{"migrated":true}\n' : 'the schema is up to date\n');
    });
}

/** The loader is large, and no other command needs it. */
async function jobsOf(module: string) {
  const { loadJobs } = await import('../jobs-module.ts');
  return await loadJobs(module);
}

/** The settings of the service are variables of the environment. */
export function setVariables(variables: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(variables)) if (value !== undefined) process.env[name] = value;
}

/** A path as the URL of a file. */
export function databaseUrl(place: string): string {
  return /^(file|libsql|https?|wss?):|^:memory:$/.test(place) ? place : pathToFileURL(place).href;
}

function openInBrowser(address: string): void {
  const [program, ...before] =
    process.platform === 'darwin'
      ? ['open']
      : process.platform === 'win32'
        ? ['cmd', '/c', 'start', '']
        : ['xdg-open'];
  const opener = spawn(program, [...before, address], { stdio: 'ignore', detached: true });
  opener.on('error', () => process.stderr.write(`durably: no browser could be opened; open ${address}\n`));
  opener.unref();
}
