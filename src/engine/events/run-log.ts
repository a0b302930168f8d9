import { errorMessage } from '../../core/errors/error-text.ts';
import { ValidationError } from '../../core/errors/errors.ts';
import { logText, MAX_ERROR_BYTES, onOneLine, publicText } from '../../core/errors/log-text.ts';
import { UNKNOWN_STEP, type WorkerErrorEvent } from '../../core/events.ts';
import { consoleLogger, type Logger } from '../../core/logger.ts';
import type { NamedRun } from '../../core/store.ts';
import { reportToConsole, watchRejection } from '../../core/user-code.ts';

/** How many bytes of a name a line contains. */
const MAX_NAME_BYTES = 256;

type Level = keyof Logger;

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
    run: NamedRun,
    { error, failedStepName, isHeard }: { error: string; failedStepName: string; isHeard: boolean },
  ): void {
    if (isHeard && !this.#isUsers) return;
    const stepName = failedStepName === UNKNOWN_STEP ? undefined : failedStepName;
    this.#write('error', 'run failed', { ...fieldsOf(run), stepName, error });
  }

  /** A run that was retried or handed back goes on. */
  resumed(run: NamedRun): void {
    if (this.#isUsers) this.#write('info', 'run resumed', fieldsOf(run));
  }

  takenOver(run: NamedRun): void {
    this.#write('warn', 'run taken over from a lost worker', fieldsOf(run));
  }

  handedBack(run: NamedRun): void {
    if (this.#isUsers) this.#write('info', 'run handed back', fieldsOf(run));
  }

  /** A worker error that no listener hears. */
  workerError({ context, error, runId }: WorkerErrorEvent): void {
    const where = runId === undefined ? context : `${context} (${runId})`;
    this.#writeLine('error', `worker failed at ${where}: ${logText(error)}`);
  }

  /** A listener threw, and there is no `onError` handler. */
  listenerFailed(listener: string, error: unknown): void {
    if (this.#isUsers) {
      this.#writeLine('error', `${listener} failed: ${logText(errorMessage(error))}`);
    } else reportToConsole(`durably: ${listener} failed:`, error);
  }

  #write(level: Level, what: string, fields: Fields): void {
    const parts = Object.entries(fields).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${shown(name, value)}`],
    );
    this.#writeLine(level, [what, ...parts].join(' '));
  }

  #writeLine(level: Level, text: string): void {
    try {
      const answer = this.#logger[level](`durably: ${text}`);
      watchRejection(answer, complain);
    } catch (error) {
      complain(error);
    }
  }
}

type Fields = Readonly<Record<string, string | number | undefined>>;

function fieldsOf({ runId, jobName, attempt }: NamedRun): Fields {
  return { runId, jobName, attempt };
}

/** Text as a JSON string, so that foreign text cannot end the line or hide a part of it. */
function shown(name: string, value: string | number): string {
  if (typeof value === 'number' || name === 'runId') return String(value);
  const maxBytes = name === 'error' ? MAX_ERROR_BYTES : MAX_NAME_BYTES;
  return onOneLine(JSON.stringify(publicText(value, maxBytes)));
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
