import { dirname } from 'node:path';
import { type Config, ConfigError } from '../../app/config.ts';
import { DatabaseOpenError } from '../../app/database.ts';
import { errorMessage } from '../../core/errors/error-text.ts';
import { DatabaseUnavailableError, DurablyError, SchemaMismatchError } from '../../core/errors/errors.ts';
import { withoutCredentials, withoutSecrets } from '../../core/errors/secrets.ts';
import { AccessRefusedError } from '../../storage/sqlite/connection/database-error.ts';

/**
 * The service can't start. The message is one line that says what failed, which setting is concerned, and what
 * to do.
 */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** An error that the operator can fix is logged as one line. Any other error is logged whole. */
export function reportFailedStart(error: unknown): void {
  if (error instanceof StartError || error instanceof ConfigError) {
    console.error(`durably: cannot start: ${oneLine(error.message)}`);
  } else {
    console.error('durably: cannot start:', error);
  }
}

/**
 * Translates an error of the start into a message for the operator. Returns the error itself if it is a fault
 * of durably.
 */
export function explainFailedStart(error: unknown, config: Config): unknown {
  const text = explanationOf(error, config);
  return text === undefined ? error : new StartError(text, { cause: error });
}

function explanationOf(error: unknown, config: Config): string | undefined {
  const setting = `TURSO_DATABASE_URL=${withoutCredentials(config.TURSO_DATABASE_URL)}`;
  if (error instanceof DatabaseOpenError || error instanceof DatabaseUnavailableError) {
    const advice = error instanceof AccessRefusedError ? TOKEN_ADVICE : databaseAdvice(error);
    const reason = error instanceof DatabaseUnavailableError ? ` (${rootMessage(error.cause)})` : '';
    return `${error.message}${reason}: ${setting}: ${advice}`;
  }
  if (error instanceof SchemaMismatchError) {
    return `${error.message}: ${setting}: name a database that is this durably's, or a new one, or start the durably that made it`;
  }
  // The jobs or an option were refused, and the message names them.
  if (error instanceof DurablyError) return error.message;
  if (error instanceof Error && 'syscall' in error) return addressFault(error, config);
  return undefined;
}

const TOKEN_ADVICE = 'set TURSO_AUTH_TOKEN to a token of this server that is valid and may write';

const OTHER_ADVICE = 'check that this is the right database, and that it works';

/** Explains errors by their code. */
const ADVICE_OF_CODE: readonly (readonly [code: RegExp, advice: string])[] = [
  [/^(EACCES|EPERM)$/, 'let the user of this process write in its folder, or name another place'],
  [/^(EROFS|SQLITE_READONLY.*)$/, 'let this process write the file and its folder, or name another place'],
  [/^(ENOTDIR|EEXIST|EISDIR|ENOENT)$/, 'a part of the path is no folder: name another place'],
  [/^(ENOSPC|SQLITE_FULL)$/, 'the disk is full: make room'],
  [/^SQLITE_NOTADB$/, 'the file is no SQLite database: name another'],
  [/^SQLITE_CORRUPT/, 'the file is damaged: restore a backup'],
  [/^SQLITE_(BUSY|LOCKED)/, 'another process holds its lock: end that one'],
  [
    /^(E(CONN|NETUN|HOSTUN|AI_AGAIN|TIMEDOUT|PIPE)|ENOTFOUND|UND_|CERT_|DEPTH_|SELF_|UNABLE_|ERR_TLS)/,
    'start that server, or correct the address',
  ],
];

/** Explains durably's own errors, which have no code, by their text. */
const ADVICE_OF_TEXT: readonly (readonly [text: RegExp, advice: string])[] = [
  [/it is a folder, not a file$/, 'name a file in that folder'],
  [/is a file, not a folder$/, 'name a file in a folder'],
  [/file: URL|a file has no host/, 'correct the address: file: and a path'],
  [/the file was cut short$/, 'the file is damaged: restore a backup'],
];

function databaseAdvice(error: unknown): string {
  const codes = codesOf(error);
  const text = rootMessage(error);
  return (
    accessAdvice(error) ??
    ADVICE_OF_CODE.find(([pattern]) => codes.some((code) => pattern.test(code)))?.[1] ??
    ADVICE_OF_TEXT.find(([pattern]) => pattern.test(text))?.[1] ??
    OTHER_ADVICE
  );
}

/** The file or folder that this process may not use, if the file system names it. */
function accessAdvice(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  if (path === undefined || !/^(EACCES|EPERM|EROFS)$/.test(code ?? '')) return accessAdvice(error.cause);
  const refused = syscall === 'mkdir' ? dirname(path) : path;
  return `let the user of this process read and write ${refused}, or name another place`;
}

function addressFault(error: Error, { PORT, HOST }: Config): string {
  const [code = error.message] = codesOf(error);
  const advice: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another process listens there: end it, or set another PORT',
    EACCES: 'this user may not listen there: set a PORT from 1024 on, or another HOST',
    EADDRNOTAVAIL: 'that is no address of this machine: set HOST to one that is, or to 0.0.0.0 for all',
    ENOTFOUND: 'no such host name is known here: set another HOST',
    EAI_AGAIN: 'the host name could not be looked up: set HOST to an IP address',
  };
  return `cannot listen on HOST=${HOST}, PORT=${PORT} (${code}): ${advice[code] ?? 'set another HOST or PORT'}`;
}

/** The codes of an error and of its causes, the outermost first. */
export function codesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const own = 'code' in error && typeof error.code === 'string' ? [error.code] : [];
  return [...own, ...codesOf(error.cause)];
}

/** The message of the innermost cause, since `fetch failed` alone says nothing. */
export function rootMessage(error: unknown): string {
  if (error instanceof Error && error.cause !== undefined) return rootMessage(error.cause);
  // When several addresses were tried, the error itself has no message.
  if (error instanceof AggregateError && error.message === '') return codesOf(error)[0] ?? error.name;
  return errorMessage(error);
}

function oneLine(text: string): string {
  return withoutSecrets(text).replace(/\s*[\r\n]+\s*/g, ' ');
}
