import { expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../../../src/core/errors/errors.ts';
import { createDurably } from '../../../../src/index.ts';
import { backends } from '../../../support/backends.ts';
import { databaseError, failStatements } from '../../../support/dialects/intercepted-dialect.ts';
import { echo } from '../../../support/jobs.ts';
import { rejectionOf } from '../../../support/runs.ts';
import { World } from '../../../support/world.ts';

const [libsql] = backends;
if (!libsql) throw new Error('no backend');

async function withWorld(body: (world: World) => Promise<void>): Promise<void> {
  const world = new World(libsql as (typeof backends)[number]);
  try {
    await body(world);
  } finally {
    await world.dispose();
  }
}

test('a client that is being renewed after SQLITE_BUSY does not count as closed', async () => {
  await withWorld(async (world) => {
    const faults = ['SQLITE_BUSY', 'CLIENT_CLOSED', 'SQLITE_BUSY'];
    const { durably } = await world.instance({
      wrap: (dialect) =>
        failStatements(dialect, ({ sql }) => {
          const fault = /^\s*insert into durably_runs/.test(sql) ? faults.shift() : undefined;
          return fault === undefined ? undefined : databaseError(fault);
        }),
    });
    await durably.migrate();
    const { echo: handle } = durably.register({ echo });
    expect((await handle.trigger(1)).status).toBe('pending');
    expect(faults).toEqual([]);
  });
});

test('destroy() ends the wait for a busy database', async () => {
  await withWorld(async (world) => {
    const { durably } = await world.instance({
      wrap: (dialect) =>
        failStatements(dialect, ({ sql }) =>
          /^\s*insert into durably_runs/.test(sql) ? databaseError('SQLITE_BUSY') : undefined,
        ),
    });
    await durably.migrate();
    const waiting = rejectionOf(durably.register({ echo }).echo.trigger(1));
    await durably.db.destroy();
    expect(await waiting).toMatchObject({ permanent: true, message: 'The database connection was closed' });
  });
});

test('a failed reconnect is repeated before anything is executed on the connection', async () => {
  await withWorld(async (world) => {
    const { dialect, close } = await world.open();
    const executed: string[] = [];
    const faults = ['SQLITE_BUSY'];
    let reconnects = 0;
    const durably = createDurably({
      dialect: failStatements(dialect, ({ sql }) => {
        if (!/^\s*insert into durably_runs/.test(sql)) return undefined;
        executed.push(`after ${reconnects}`);
        const fault = faults.shift();
        return fault === undefined ? undefined : databaseError(fault);
      }),
      reconnect: () => {
        reconnects++;
        if (reconnects < 3) throw new Error('not now');
      },
    });
    await durably.migrate();
    const { echo: handle } = durably.register({ echo });
    const refused = await rejectionOf(handle.trigger(1));
    expect(refused).toBeInstanceOf(DatabaseUnavailableError);
    expect(refused.cause).toMatchObject({ message: 'not now' });
    expect(await rejectionOf(handle.trigger(2))).toBeInstanceOf(DatabaseUnavailableError);
    expect((await handle.trigger(3)).payload).toBe(3);
    expect(executed).toEqual(['after 0', 'after 3']);
    await close();
  });
});

test.each(backends.map((backend) => [backend.name, backend] as const))(
  'init() after the database was closed rejects on %s, as a trigger does',
  async (_, backend) => {
    for (const how of ['by its owner', 'by durably'] as const) {
      const world = new World(backend);
      const { dialect, close } = await world.open();
      const durably = createDurably({ dialect });
      await durably.init();
      await durably.stop();
      if (how === 'by durably') await durably.db.destroy();
      await close();
      // Where the driver does not say that it was closed, only its errors do.
      if (backend.name === 'SqliteDialect on libsql') await rejectionOf(durably.getRuns());
      for (const call of [() => durably.init(), () => durably.migrate()]) {
        const refused = await rejectionOf(call());
        expect(refused, how).toMatchObject({
          permanent: true,
          message: 'The database connection was closed',
        });
      }
      await world.dispose();
    }
  },
);
