// The entry point for local databases, together with any Kysely that a project has.
import assert from 'node:assert/strict';
import { createDurably, defineJob } from 'durably';
import { type Database, openDatabase } from 'durably/sqlite';
import { Kysely } from 'kysely';
import { z } from 'zod';

const greet = defineJob({
  name: 'greet',
  input: z.object({ name: z.string() }),
  run: async (step, { name }) => await step.run('compose', () => `Hello ${name}`),
});

const database: Database = await openDatabase({ url: 'file:sqlite-door.db' });
const durably = createDurably({ dialect: database.dialect, jobs: { greet } });
await durably.init();
const { output } = await durably.jobs.greet.triggerAndWait({ name: 'door' });
assert.equal(output, 'Hello door');
await durably.stop();
await database.close();

// Other libraries can use the dialect, too.
const other = await openDatabase({ url: ':memory:' });
await new Kysely<Record<string, never>>({ dialect: other.dialect }).destroy();
