import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@libsql/client';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/core/time/clock.ts';
import { assembleDurably } from '../../src/create-durably.ts';
import type { DurablyOptions } from '../../src/durably-options.ts';
import { openRemote } from '../../src/remote.ts';
import { copyMigratedFile } from '../storage/sqlite/support/migrated-file.ts';
import type { Content } from './backend.ts';
import { FakeClock } from './fake-clock.ts';
import { Sqld, type SqldOptions } from './sqld/server.ts';
import { stopNow } from './world.ts';

export interface RemoteOptions extends Omit<DurablyOptions, 'dialect' | 'reconnect' | 'jobs'> {
  readonly clock?: FakeClock;
  readonly fetch?: typeof fetch | ((request: Request) => Promise<Response>);
  readonly authToken?: string;
  readonly protocol?: 'http' | 'ws';
  /** Whether it is opened by a dialect of `@libsql`, or as the service opens it. Default: libsql. */
  readonly opener?: 'libsql' | 'openRemote';
}

export interface ServerOptions extends Omit<SqldOptions, 'file'> {
  /** What the database contains at first. Only tests of a migration need an empty one. Default: migrated. */
  readonly content?: Content;
}

function openLibsql(config: Parameters<typeof createClient>[0]) {
  const client = createClient(config);
  return { dialect: new LibsqlDialect({ client }), close: () => client.close() };
}

/** A server of the test. The server, and everything opened on it, ends with the test. */
export async function startRemote({ content = 'migrated', ...settings }: ServerOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'durably-remote-'));
  const file = join(folder, 'remote.db');
  if (content === 'migrated') await copyMigratedFile(file);
  let server = await Sqld.start({ file, ...settings });
  onTestFinished(async () => {
    try {
      await server.stop();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
  const { url, port } = server;

  /** An instance with its own client, as one process would have. */
  const open = ({ clock, fetch, authToken, protocol, opener, ...options }: RemoteOptions = {}) => {
    const address = server.addressForClient(protocol);
    const { dialect, close } =
      opener === 'openRemote'
        ? openRemote({ url: address, authToken })
        : openLibsql({ url: address, ...(fetch && { fetch }), ...(authToken && { authToken }) });
    const durably = assembleDurably({ dialect, ...options }, { clock: clock ?? systemClock });
    onTestFinished(async () => {
      await stopNow(durably, clock);
      close();
    });
    return durably;
  };

  /** A migrated instance with its worker, on a clock that stands still. */
  const startStill = async (options: RemoteOptions = {}) => {
    const clock = new FakeClock();
    const durably = open({ clock, ...options });
    await durably.init();
    /** The number of requests of the task, until nothing is under way any more. */
    const requestsOf = async (task: () => unknown): Promise<number> => {
      await quiet(server);
      const before = server.requests;
      await task();
      await quiet(server);
      return server.requests - before;
    };
    return { durably, clock, requestsOf };
  };

  return {
    url,
    file,
    get server() {
      return server;
    },
    open,
    startStill,
    /** Stops the server and starts it again at the same address. */
    async restart(meanwhile: () => Promise<void>) {
      await server.stop();
      try {
        await meanwhile();
      } finally {
        server = await Sqld.start({ file, port, ...settings });
      }
    },
  };
}

/**
 * Waits until no request has arrived for a while and none is being answered. Requests that are left hanging
 * don't count.
 */
export async function quiet(server: Sqld, { underWay = 0 } = {}): Promise<void> {
  let seen = -1;
  for (let still = 0; still < 5; ) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    const isStill = server.requests === seen && server.underWay === underWay;
    still = isStill ? still + 1 : 0;
    seen = server.requests;
  }
}
