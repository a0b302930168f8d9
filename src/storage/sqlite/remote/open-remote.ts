import { type Client, createClient } from '@libsql/client';
import { LibsqlConnection, LibsqlDialect } from '@libsql/kysely-libsql';
import type { CompiledQuery, Dialect, QueryResult } from 'kysely';
import { ValidationError } from '../../../core/errors/errors.ts';
import { withoutCredentials } from '../../../core/errors/secrets.ts';
import { checkMembers, type MembersOf } from '../../../core/validation/known-names.ts';
import { shownValue } from '../../../core/validation/shown-value.ts';
import type { AbortableConnection, AdaptedDriver, Adapter } from '../adapter.ts';
import { refuseEmbeddedReplica } from '../embedded-replica.ts';
import { kindOf } from '../query.ts';
import { HeldStream } from './held-stream.ts';
import { Reads } from './reads.ts';
import { timedFetch } from './timed-fetch.ts';

/**
 * More than are ever under way: durably sends one write and four reads at once. A request in the
 * client's own queue could be given up before it is sent.
 */
const MAX_REQUESTS = 100;

/** Which server is opened, and how. */
export interface OpenRemoteOptions {
  /**
   * `libsql://…`, `https://…`, `http://…`, or `wss://…` and `ws://…`, which are faster where the server
   * speaks them.
   */
  readonly url: string;
  readonly authToken?: string | undefined;
  /**
   * Asks for compressed answers over HTTP. Default: false, because libsql-server compresses
   * slowly. Set it for a database behind a slow line.
   */
  readonly compression?: boolean | undefined;
}

const OPTIONS: MembersOf<OpenRemoteOptions> = { url: true, authToken: true, compression: true };

/** A database on a libSQL server. */
export interface RemoteDatabase {
  /** What `createDurably` takes. */
  readonly dialect: Dialect;
  /** Closes the connections. Stop durably first. */
  close(): void;
}

/**
 * Opens a database on a libSQL server as the service does: answers are not compressed, and no request waits for
 * ever. Nothing is sent yet. The server must be the primary or a read replica of it. An embedded replica
 * (`syncUrl`) is not supported.
 *
 * @throws {ValidationError} for an option that it doesn't have, such as `syncUrl`, or a bad address.
 * @example
 * const database = openRemote({ url: 'libsql://my-db.turso.io', authToken: process.env.TURSO_AUTH_TOKEN });
 * const durably = createDurably({ dialect: database.dialect });
 * await durably.init();
 * // … and at the end:
 * await durably.stop();
 * database.close();
 */
export function openRemote(options: OpenRemoteOptions): RemoteDatabase {
  refuseEmbeddedReplica(options);
  checkMembers('openRemote option', options ?? null, OPTIONS);
  const { url, authToken, compression = false } = options;
  if (!/^(libsql|https?|wss?):/i.test(url)) {
    const shown = typeof url === 'string' ? shownValue(withoutCredentials(url)) : shownValue(url);
    throw new ValidationError(
      `openRemote url must begin with libsql:, https:, http:, wss: or ws:, not ${shown}`,
    );
  }
  const fetch = timedFetch({ compression });
  const client = createClient({
    url,
    concurrency: MAX_REQUESTS,
    fetch,
    ...(authToken === undefined ? {} : { authToken }),
  });
  const writes = new HeldStream({ url, authToken, fetch });
  const reads = new Reads({ url, authToken, fetch });
  return {
    dialect: new RemoteDialect(client, { writes, reads }),
    close: () => {
      writes.close();
      reads.close();
      client.close();
    },
  };
}

/** A dialect whose batches share a stream, and whose reads can be ended. */
class RemoteDialect extends LibsqlDialect {
  readonly #client: Client;
  readonly #reads: Reads;
  readonly #adapter: Adapter;

  constructor(client: Client, { writes, reads }: { readonly writes: HeldStream; readonly reads: Reads }) {
    super({ client });
    this.#client = client;
    this.#reads = reads;
    this.#adapter = {
      isRemote: true,
      renew: () => client.reconnect(),
      isClosed: () => client.closed,
      batch: (statements) => writes.batch(statements),
    };
  }

  override createDriver(): AdaptedDriver {
    return Object.assign(super.createDriver(), {
      adapter: this.#adapter,
      acquireConnection: async () => new RemoteConnection(this.#client, this.#reads),
    });
  }
}

class RemoteConnection extends LibsqlConnection implements AbortableConnection {
  readonly #reads: Reads;

  constructor(client: Client, reads: Reads) {
    super(client);
    this.#reads = reads;
  }

  /** @param signal given outside of transactions only. */
  override executeQuery<R>(query: CompiledQuery, signal?: AbortSignal): Promise<QueryResult<R>> {
    if (signal === undefined || kindOf(query) === 'write') return super.executeQuery(query);
    return this.#reads.read(query, signal);
  }
}
