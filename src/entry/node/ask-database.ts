import { setTimeout as pause } from 'node:timers/promises';
import { CompiledQuery, type Kysely } from 'kysely';
import type { Config } from '../../app/config.ts';
import { withoutCredentials } from '../../core/errors/secrets.ts';
import { AccessRefusedError, classifyDatabaseError } from '../../storage/sqlite/connection/database-error.ts';
import { log } from './report.ts';
import { codesOf, rootMessage, StartError } from './start-failure.ts';

/** When a server that refuses, or whose name is not known, is given up: so long after this process began. */
const COME_UP_BY_MS = 2200;
/** It is asked so often at least, however long this process took to get here, unless it is silent. */
const MIN_TRIES = 2;
const RETRY_MS = 200;
/** How often it is said that a server is silent. */
const SAY_SO_MS = 2000;

/**
 * Asks a database server for the first time. One that can't be reached ends the
 * start soon; one that is reached and silent is waited for, for a busy server
 * may take its time, and that is said every few seconds.
 *
 * @throws {StartError | AccessRefusedError}
 */
export async function reachServer<T>(
  db: Kysely<T>,
  { TURSO_DATABASE_URL: url }: Pick<Config, 'TURSO_DATABASE_URL'>,
): Promise<void> {
  if (!/^(libsql|https?|wss?):/.test(url)) return;
  // Counted from the beginning of this process, which is when somebody began to wait for a line.
  const firstSaySoMs = Math.max(COME_UP_BY_MS + RETRY_MS - performance.now(), 3 * RETRY_MS);
  // A server that refuses has been given up by then.
  let sayingSo = setTimeout(saySo, firstSaySoMs);
  function saySo(): void {
    log(`the database server at TURSO_DATABASE_URL=${withoutCredentials(url)} has not answered yet; waiting`);
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
        if (isLate && (tries >= MIN_TRIES || wasSilent)) throw unreachable(error, url);
        await pause(RETRY_MS);
      }
    }
  } finally {
    clearTimeout(sayingSo);
  }
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
