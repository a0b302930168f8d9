import { setTimeout as pause } from 'node:timers/promises';
import { CompiledQuery, type Kysely } from 'kysely';
import type { Config } from '../../app/config.ts';
import { withoutCredentials } from '../../core/errors/secrets.ts';
import { AccessRefusedError, classifyDatabaseError } from '../../storage/sqlite/connection/database-error.ts';
import { log } from './log.ts';
import { codesOf, rootMessage, StartError } from './start-failure.ts';

/** The start fails if the server still refuses, or its name is still unknown, this long after the process began. */
const COME_UP_BY_MS = 2200;
/** The least number of attempts, however slow the start was. A silent server gets only one. */
const MIN_TRIES = 2;
/** The same for a server that was reached and broke the connection or answered with an error: a network may lose a few answers. */
const MIN_TRIES_ONCE_REACHED = 8;
const RETRY_MS = 200;
/** The interval of the log lines about a silent server. */
const SAY_SO_MS = 2000;

/**
 * Sends the first query to a database server. If the server can't be reached, the start fails soon. If it is
 * reached but silent, this waits, since the server may be busy, and logs a line every few seconds.
 *
 * @throws {StartError | AccessRefusedError}
 */
export async function reachServer<T>(
  db: Kysely<T>,
  { TURSO_DATABASE_URL: url }: Pick<Config, 'TURSO_DATABASE_URL'>,
): Promise<void> {
  if (!/^(libsql|https?|wss?):/.test(url)) return;
  // Counted from the start of the process, because the operator has been waiting since then.
  const firstSaySoMs = Math.max(COME_UP_BY_MS + RETRY_MS - performance.now(), 3 * RETRY_MS);
  // By then the start has failed for a server that refuses.
  let sayingSo = setTimeout(saySo, firstSaySoMs);
  function saySo(): void {
    log.info(
      `the database server at TURSO_DATABASE_URL=${withoutCredentials(url)} has not answered yet; waiting`,
    );
    sayingSo = setTimeout(saySo, SAY_SO_MS);
  }
  try {
    for (let tries = 1; ; tries++) {
      const triedMs = performance.now();
      try {
        await db.executeQuery(CompiledQuery.raw('select 1'));
        return;
      } catch (error) {
        const fault = classifyDatabaseError(error, true);
        if (fault === 'denied') throw new AccessRefusedError(error);
        const isLate = performance.now() + RETRY_MS > COME_UP_BY_MS;
        const wasSilent = performance.now() - triedMs > COME_UP_BY_MS;
        const minTries = wasReached(error) ? MIN_TRIES_ONCE_REACHED : MIN_TRIES;
        if (isLate && (tries >= minTries || wasSilent)) throw unreachable(error, url);
        await pause(RETRY_MS);
      }
    }
  } finally {
    clearTimeout(sayingSo);
  }
}

function wasReached(error: unknown): boolean {
  return !codesOf(error).some((code) =>
    /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/.test(code),
  );
}

function unreachable(error: unknown, url: string): StartError {
  const [code] = codesOf(error).slice(-1);
  const text = rootMessage(error);
  const reason = code === undefined || text.includes(code) ? text : `${code}: ${text}`;
  return new StartError(
    `cannot reach the database server: TURSO_DATABASE_URL=${withoutCredentials(url)} (${reason}): start that server, or correct the address`,
    { cause: error },
  );
}
