import { errorFields } from '../../core/errors/error-fields.ts';
import { errorMessage } from '../../core/errors/error-text.ts';
import { ValidationError } from '../../core/errors/errors.ts';
import { logText, MAX_ERROR_BYTES, onOneLine, publicText } from '../../core/errors/log-text.ts';
import { UNKNOWN_STEP, type WorkerErrorEvent } from '../../core/events.ts';
import { consoleLogger, type LogEntry, type Logger } from '../../core/logger.ts';
import type { NamedRun } from '../../core/ownership/lease.ts';
import { traceIdOf } from '../../core/plugins/trace-context.ts';
import { reportToConsole, watchRejection } from '../../core/user-code.ts';

/** How many bytes of a name a line contains. */
const MAX_NAME_BYTES = 256;

type Level = LogEntry['level'];

/**
 * Writes a line for each run that failed, was resumed, taken over or handed back, and for errors of
 * the worker. A line contains ids, names and the text of an error, but never a payload, an output or
 * a stack. Without a logger of the user's, only failures and takeovers go to the console, and
 * failures only if they have no listener.
 */
export class RunLog {
  readonly #logger: Logger;
  readonly #isUsers: boolean;

  /** @throws {ValidationError} for a logger without the methods of one. */
  constructor(logger?: Logger) {
    if (logger !== undefined) checkLogger(logger);
    this.#logger = logger ?? consoleLogger;
    this.#isUsers = logger !== undefined;
  }

  failed(
    run: LoggedRun,
    { error, failedStepName, isHeard }: { error: string; failedStepName: string; isHeard: boolean },
  ): void {
    if (isHeard && !this.#isUsers) return;
    const stepName = failedStepName === UNKNOWN_STEP ? undefined : failedStepName;
    this.#write('error', 'run failed', { ...fieldsOf(run), stepName, error });
  }

  /** Its job failed, and is tried again. */
  retried(run: LoggedRun, { error }: { readonly error: string }): void {
    if (this.#isUsers) this.#write('warn', 'run failed and is tried again', { ...fieldsOf(run), error });
  }

  /** A run that was retried or handed back goes on. */
  resumed(run: LoggedRun): void {
    if (this.#isUsers) this.#write('info', 'run resumed', fieldsOf(run));
  }

  takenOver(run: LoggedRun): void {
    this.#write('warn', 'run taken over from a lost worker', fieldsOf(run));
  }

  handedBack(run: NamedRun): void {
    if (this.#isUsers) this.#write('info', 'run handed back', fieldsOf(run));
  }

  /** A worker error that no listener hears. */
  workerError({ context, error, runId }: WorkerErrorEvent): void {
    const where = runId === undefined ? context : `${context} (${runId})`;
    this.#writeEntry(
      { level: 'error', message: 'worker failed', fields: { context, runId, error: errorText(error) } },
      `worker failed at ${where}: ${logText(error)}`,
    );
  }

  /** A server that took no writes takes them again. */
  databaseRecovered({ lastedMs }: { lastedMs: number }): void {
    const message = `the database takes writes again, after ${Math.round(lastedMs / 1000)} s`;
    this.#writeEntry({ level: 'warn', message, fields: {} }, message);
  }

  /** A listener threw, and there is no `onError` handler. */
  listenerFailed(listener: string, error: unknown): void {
    if (this.#isUsers) {
      this.#writeEntry(
        { level: 'error', message: `${listener} failed`, fields: errorFields(error) },
        `${listener} failed: ${logText(errorMessage(error))}`,
      );
    } else reportToConsole(`durably: ${listener} failed:`, error);
  }

  #write(level: Level, what: string, fields: Fields): void {
    const given = Object.entries(fields).flatMap(([name, value]): [string, string | number][] =>
      value === undefined ? [] : [[name, typeof value === 'string' ? fieldText(name, value) : value]],
    );
    const parts = given.map(([name, value]) => `${name}=${shown(name, value)}`);
    const entry = { level, message: what, fields: Object.fromEntries(given) };
    this.#writeEntry(entry, [what, ...parts].join(' '));
  }

  /** @param line the same as a single line */
  #writeEntry(entry: LogEntry, line: string): void {
    const logger = this.#logger;
    try {
      const answer =
        logger.entry === undefined ? logger[entry.level](`durably: ${line}`) : logger.entry(entry);
      watchRejection(answer, complain);
    } catch (error) {
      complain(error);
    }
  }
}

type Fields = Readonly<Record<string, string | number | undefined>>;

/** The run may be a claimed one, which also says of which trace it is a part. */
type LoggedRun = NamedRun & { readonly pluginData?: string | null | undefined };

function fieldsOf({ runId, jobName, attempt, pluginData }: LoggedRun): Fields {
  return { runId, jobName, attempt, traceId: traceIdOf(pluginData) };
}

function errorText(error: string): string {
  return publicText(error, MAX_ERROR_BYTES);
}

/** Without secrets, and bounded. Ids are durably's own. */
function fieldText(name: string, value: string): string {
  if (name === 'runId') return value;
  return name === 'error' ? errorText(value) : publicText(value, MAX_NAME_BYTES);
}

/** Text as a JSON string, so that foreign text cannot end the line or hide a part of it. */
function shown(name: string, value: string | number): string {
  if (typeof value === 'number' || name === 'runId') return String(value);
  return onOneLine(JSON.stringify(value));
}

function checkLogger(logger: unknown): void {
  for (const level of ['info', 'warn', 'error'] as const) {
    if (typeof (logger as Partial<Logger> | null)?.[level] !== 'function') {
      throw new ValidationError(`logger must have a function ${level}`);
    }
  }
}

function complain(error: unknown): void {
  reportToConsole('durably: the logger failed:', error);
}
