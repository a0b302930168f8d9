import { Kysely, sql } from 'kysely';
import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../../../src/index.ts';
import { optionalParts } from '../../../../src/storage/sqlite/migrations/migrations.generated.ts';
import { contract } from '../../../support/contract.ts';

const limited = defineJob({
  name: 'limited',
  input: z.string(),
  concurrency: { perKey: 1, key: (input) => input },
  run: (_, input) => input,
});

contract('a part of the schema that is added when it is needed', (test) => {
  test('is completed if a process ended while it added the part', async ({ world }) => {
    await world.idle();
    const raw = new Kysely<unknown>({ dialect: (await world.open()).dialect });
    for (const statement of optionalParts.limits.slice(0, -1)) await sql.raw(statement).execute(raw);
    const { durably } = await world.idle();
    const { limited: handle } = durably.register({ limited });
    const run = await handle.trigger('a');
    expect(await durably.processOne()).toBe(true);
    expect(await durably.getRun(run.id)).toMatchObject({ status: 'completed', output: 'a' });
    const { rows } = await sql`select name from sqlite_master where name = 'durably_runs_released'`.execute(
      raw,
    );
    expect(rows).toHaveLength(1);
  });
});
