import { describe, expect, test } from 'vitest';
import { createDurably, type DurablyOptions, ValidationError } from '../../../src/index.ts';
import { backends } from '../../support/backends.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { nextEvent } from '../../support/runs.ts';

/** Calls createDurably with these options and closes what it opened. */
async function create(options: Omit<Partial<DurablyOptions>, 'jobs'>): Promise<unknown> {
  const database = await backends[0]?.createDatabase();
  const opened = await database?.open();
  if (!database || !opened) throw new Error('no backend');
  try {
    return createDurably({ dialect: opened.dialect, ...options });
  } catch (error) {
    return error;
  } finally {
    opened.close();
    await database.remove();
  }
}

const MS_OPTIONS = ['pollingInterval', 'heartbeatInterval', 'staleThreshold'] as const;
const BAD = [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '1000', null, true, {}, 10n];

describe('options', () => {
  test.each(MS_OPTIONS.flatMap((name) => BAD.map((value) => [name, value] as const)))(
    'refuses %s: %s by name and value',
    async (name, value) => {
      const error = await create({ [name]: value });
      expect(error).toBeInstanceOf(ValidationError);
      expect((error as Error).message).toContain(name);
      expect((error as Error).message).toContain(
        typeof value === 'object' && value !== null ? 'an object' : String(value),
      );
    },
  );

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', null])(
    'refuses maxConcurrentRuns: %s by name and value',
    async (value) => {
      const error = await create({ maxConcurrentRuns: value as number });
      expect(error).toBeInstanceOf(ValidationError);
      expect((error as Error).message).toMatch(
        new RegExp(`maxConcurrentRuns.*${String(value).replace('.', '\\.')}`),
      );
    },
  );

  test.each([
    [{ heartbeatInterval: 5_000, staleThreshold: 5_000 }, /heartbeatInterval.*5000.*staleThreshold.*5000/],
    [{ heartbeatInterval: 5_001, staleThreshold: 5_000 }, /5001/],
    [{ heartbeatInterval: 30_000 }, /30000/],
    [{ staleThreshold: 4_000 }, /5000.*4000/],
  ])('refuses a heartbeat that is not shorter than the threshold: %j', async (options, message) => {
    const error = await create(options);
    expect(error).toBeInstanceOf(ValidationError);
    expect((error as Error).message).toMatch(message);
  });

  test.each([
    {},
    {
      pollingInterval: undefined,
      heartbeatInterval: undefined,
      staleThreshold: undefined,
      maxConcurrentRuns: undefined,
    },
    { pollingInterval: 0.5, heartbeatInterval: 1, staleThreshold: 1.5, maxConcurrentRuns: 1 },
    { reconnect: () => undefined },
  ])('accepts %o', async (options) => {
    expect(await create(options)).not.toBeInstanceOf(Error);
  });

  test.each([undefined, null, {}, 'file:local.db'])('a dialect that is %o is refused', async (dialect) => {
    expect(await create({ dialect: dialect as never })).toBeInstanceOf(ValidationError);
  });

  test('refuses a call without options', () => {
    expect(() => createDurably(undefined as never)).toThrow(ValidationError);
  });

  test('refuses two jobs with one name', async () => {
    const error = await create({ jobs: { one: echo, two: job('echo', () => 1) } } as never);
    expect(error).toMatchObject({ code: 'CONFLICT' });
  });
});

contract('defaults', (test) => {
  test('are a poll per second, a heartbeat per five seconds, and one run at a time', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ clock });
    const { held } = durably.register({ held: job('held', () => new Promise(() => undefined)) });
    await idle();
    // The poll, and the checks for runs below those that timed out, for limits of others, and for what deleted runs
    // have left.
    expect(clock.pendingMs).toEqual([1_000, 2_000, 10_000, 60_000, 10 * 60 * 1000, 60 * 60 * 1000]);
    const started = nextEvent(durably, 'run:start');
    const [, second] = await held.batchTrigger([1, 2]);
    await started;
    await idle();
    // The look for schedules, the heartbeat, the check of the lease, and those checks.
    expect(clock.pendingMs).toEqual([
      1_000,
      2_000,
      5_000,
      10_000,
      30_000,
      60_000,
      10 * 60 * 1000,
      60 * 60 * 1000,
    ]);
    expect((await durably.getRun(second?.id ?? ''))?.status).toBe('pending');
  });

  test('make a run stale after thirty seconds without a heartbeat', async ({ world }) => {
    const clock = new FakeClock();
    const { durably, statements } = await world.start({ clock });
    durably.register({ echo });
    await idle();
    const before = statements.length;
    clock.advance(1_000);
    await idle();
    const claim = statements.slice(before).find(({ sql }) => sql.includes('claim_token ='));
    expect(claim?.parameters).toContain(30_000);
  });

  test('creating an instance reads and writes nothing', async ({ world }) => {
    const { durably, statements } = await world.instance();
    durably.register({ echo });
    durably.on('run:start', () => undefined);
    await idle();
    expect(statements).toEqual([]);
  });
});
