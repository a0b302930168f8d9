import { createClient } from '@libsql/client/http';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import { createDurably } from 'durably';
import { createDurablyHandler } from 'durably/server';
import { countWords } from './job.ts';

interface Env {
  readonly TURSO_DATABASE_URL: string;
  readonly TURSO_AUTH_TOKEN: string;
}

interface Context {
  waitUntil(promise: Promise<unknown>): void;
}

/** An instance for one request: on Workers two requests may not share what does I/O. */
function openDurably({ TURSO_DATABASE_URL: url, TURSO_AUTH_TOKEN: authToken }: Env) {
  const dialect = new LibsqlDialect({ client: createClient({ url, authToken }) });
  return createDurably({ dialect, worker: 'on-demand', jobs: { countWords } });
}

/** After each of these some run may go on. */
const STARTS_WORK = ['run:trigger', 'run:retry', 'run:signal', 'run:cancel'] as const;

/** Whether this isolate has seen the database migrated. */
let isMigrated = false;

export default {
  async fetch(request: Request, env: Env, context: Context): Promise<Response> {
    const durably = openDurably(env);
    // What can go on is worked on after the answer, for as long as the platform allows.
    const work = () => context.waitUntil(durably.processUntilIdle({ timeoutMs: 20_000 }));
    for (const type of STARTS_WORK) durably.on(type, work);
    const handler = createDurablyHandler(durably, {
      onRequest: async () => {
        if (!isMigrated) await durably.migrate();
        isMigrated = true;
      },
      // Only by writing does a Worker find out that a stream's reader has gone.
      keepAliveMs: 1_000,
    });
    return await handler.handle(request, '/api/durably');
  },

  async scheduled(_event: unknown, env: Env): Promise<void> {
    const durably = openDurably(env);
    await durably.migrate();
    await durably.processUntilIdle({ timeoutMs: 45_000 });
  },
};
