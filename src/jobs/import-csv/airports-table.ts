import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { type Client, createClient, type InStatement, LibsqlError } from '@libsql/client';
import type { Airport } from './airport.ts';

const BUSY_LIMIT_MS = 10_000;
const BUSY_PAUSE_MS = { first: 10, longest: 500 };

const CREATE = `create table if not exists airports (
  iata text primary key,
  name text not null,
  city text,
  state text,
  country text not null,
  latitude real not null,
  longitude real not null
) strict, without rowid`;

// All rows are passed as one JSON text, so one statement stores any number of them.
const UPSERT = `insert into airports (iata, name, city, state, country, latitude, longitude)
select value->>'iata', value->>'name', value->>'city', value->>'state', value->>'country',
  value->>'latitude', value->>'longitude'
from json_each(?) where true
on conflict (iata) do update set name = excluded.name, city = excluded.city, state = excluded.state,
  country = excluded.country, latitude = excluded.latitude, longitude = excluded.longitude`;

/** The target table of imports, in its own database file. */
export class AirportsTable {
  readonly #client: Client;
  readonly #onBusy: () => void;

  private constructor(client: Client, onBusy: () => void) {
    this.#client = client;
    this.#onBusy = onBusy;
  }

  /** `onBusy` is called the first time that a write finds the file locked. */
  static async open(
    path: string,
    options: { signal: AbortSignal; onBusy: () => void },
  ): Promise<AirportsTable> {
    await mkdir(dirname(path), { recursive: true });
    const client = createClient({ url: pathToFileURL(path).href, concurrency: 1 });
    const table = new AirportsTable(client, options.onBusy);
    try {
      await table.#execute('pragma journal_mode = wal', options.signal);
      await table.#execute(CREATE, options.signal);
      return table;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /**
   * Stores all rows or none. A row replaces an existing airport with the same code. If a code occurs twice, the
   * later row wins.
   */
  async upsert(airports: readonly Airport[], signal: AbortSignal): Promise<void> {
    if (airports.length === 0) return;
    await this.#execute({ sql: UPSERT, args: [JSON.stringify(airports)] }, signal);
  }

  close(): void {
    this.#client.close();
  }

  /**
   * Retries for a few seconds while another process holds the lock. Each retry opens a new connection: after
   * one SQLITE_BUSY, a connection reports success for writes that it never commits.
   */
  async #execute(statement: InStatement, signal: AbortSignal): Promise<void> {
    const giveUpAt = performance.now() + BUSY_LIMIT_MS;
    for (let pauseMs = BUSY_PAUSE_MS.first; ; pauseMs = Math.min(pauseMs * 2, BUSY_PAUSE_MS.longest)) {
      signal.throwIfAborted();
      try {
        await this.#client.execute(statement);
        return;
      } catch (error) {
        if (!isBusy(error)) throw error;
        // The type is void, but for a file it returns a promise.
        await this.#client.reconnect();
        if (performance.now() >= giveUpAt) {
          throw new Error(`the imports database stayed locked for ${BUSY_LIMIT_MS} ms`, { cause: error });
        }
        if (pauseMs === BUSY_PAUSE_MS.first) this.#onBusy();
        await setTimeout(pauseMs * (0.5 + Math.random() / 2), undefined, { signal });
      }
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof LibsqlError && error.code.startsWith('SQLITE_BUSY');
}
