import type { Command } from 'commander';
import {
  ForbiddenError,
  NotFoundError,
  ServiceError,
  ServiceUnavailableError,
  UnauthorizedError,
} from '../../client.ts';
import { errorMessage } from '../../core/errors/error-text.ts';
import { onOneLine } from '../../core/errors/log-text.ts';
import { type Finding, fine, MAX_SKEW_MS, odd, wrong } from '../../entry/node/finding.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { type Session, sessionOf, VARIABLES } from '../session.ts';
import { databaseUrl, setVariables } from './serving.ts';

const OLDEST_NODE = 20;
const ANSWER_WITHIN_MS = 5_000;

/** Adds `doctor`. */
export function addDoctor(program: Command, end: (code: ExitCode) => void): void {
  program
    .command('doctor')
    .description('Say what is wrong with this set-up: Node, settings, database, port, service and key')
    .option('-d, --database <place>', 'the database of the service (TURSO_DATABASE_URL)')
    .action(async ({ database }: { readonly database?: string }, command: Command) => {
      setVariables({ TURSO_DATABASE_URL: database && databaseUrl(database) });
      const session = sessionOf(command);
      const findings = [examineNode(), ...(await examineHere()), ...(await examineService(session))];
      for (const finding of findings) session.show(finding, () => lineOf(finding, session));
      end(findings.some(({ state }) => state === 'wrong') ? EXIT.failed : EXIT.done);
    });
}

function lineOf({ state, text }: Finding, { colors }: Session): string {
  const sign = { fine: colors.green('✓'), odd: colors.yellow('!'), wrong: colors.red('✗') }[state];
  return `${sign} ${onOneLine(text)}`;
}

function examineNode(): Finding {
  const version = process.versions.node;
  if (Number.parseInt(version, 10) >= OLDEST_NODE) return fine(`Node ${version}`);
  return wrong(`Node ${version} is too old: install Node ${OLDEST_NODE} or later`);
}

/** The settings of the environment, the database that they name, and the port. */
async function examineHere(): Promise<Finding[]> {
  const { examineSettings } = await import('../../entry/node/examine-settings.ts');
  const env = Object.entries(process.env).filter(([name]) => !(name in VARIABLES));
  return await examineSettings(Object.fromEntries(env));
}

async function examineService({ client, url }: Session): Promise<Finding[]> {
  const found: Finding[] = [];
  const skew = await skewOf(url);
  if (skew === 'away')
    return [
      odd(`nothing answers at ${url}: start the service with durably serve, or name another with --url`),
    ];
  if (Math.abs(skew) > MAX_SKEW_MS) {
    found.push(
      odd(
        `the clocks of this machine and of the service differ by ${Math.round(Math.abs(skew) / 1_000)} s: set them`,
      ),
    );
  }
  try {
    const jobs = await client.getJobs({ counts: false });
    found.push(fine(`the service at ${url} answers, with ${jobs.length} jobs`));
    const paused = jobs.filter((job) => job.paused).map(({ name }) => name);
    if (paused.length > 0)
      found.push(odd(`these jobs are paused: ${paused.join(', ')}; durably resume goes on with one`));
    return found;
  } catch (error) {
    return [...found, wrong(await faultOf(error, url))];
  }
}

async function faultOf(error: unknown, url: string): Promise<string> {
  if (error instanceof UnauthorizedError) {
    return `the service at ${url} wants a key: give a valid one with --api-key or DURABLY_API_KEY`;
  }
  if (error instanceof ForbiddenError) return `the service at ${url} refuses this caller: ${error.message}`;
  if (error instanceof NotFoundError || error instanceof ServiceError) {
    const right = await basePathOf(url);
    const hint = right === undefined ? 'is it a durably service?' : `its operations are below ${right}`;
    return `${url} is not the address of the operations: ${hint}`;
  }
  if (error instanceof ServiceUnavailableError) return `the service at ${url} is not ready: ${error.message}`;
  return errorMessage(error);
}

/** The base path that a service says it has. */
async function basePathOf(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(new URL('/openapi.json', url), {
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    const document: unknown = await response.json();
    const [, path] = /"servers":\[\{"url":"([^"]+)"/.exec(JSON.stringify(document)) ?? [];
    return path === undefined ? undefined : new URL(path, url).href;
  } catch {
    return undefined;
  }
}

/** By how much the service's clock is ahead, in ms. */
async function skewOf(url: string): Promise<number | 'away'> {
  try {
    const response = await fetch(new URL('/healthz', url), { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    const date = Date.parse(response.headers.get('date') ?? '');
    return Number.isNaN(date) ? 0 : date - Date.now();
  } catch {
    return 'away';
  }
}
