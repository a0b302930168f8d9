import { LibsqlDialect } from '@libsql/kysely-libsql';
import { describe, expect, it } from 'vitest';
import { createDurably, defineJob } from '../../src/index.ts';
import { echo } from '../support/jobs.ts';
import { rejectionOf } from '../support/runs.ts';

/** Refused before the database is asked. */
const durably = createDurably({ dialect: new LibsqlDialect({ url: ':memory:' }), jobs: { echo } });

type Call = (...given: never[]) => unknown;

/** @returns the message of the error. */
async function refused(call: () => unknown): Promise<string> {
  const error = await rejectionOf(Promise.resolve().then(call) as Promise<unknown>);
  expect(error.name).toBe('ValidationError');
  return error.message;
}

describe('a refusal names what was wrong, and the value', () => {
  it.each<[string, object, string]>([
    ['a timeout of nothing', { timeout: 0 }, 'timeout must be longer than 0, not 0'],
    ['a ttl of nothing', { ttl: '0s' }, 'ttl must be longer than 0, not "0s"'],
    [
      'an idempotencyTtl of nothing',
      { idempotencyKey: 'k', idempotencyTtl: 0 },
      'idempotencyTtl must be longer than 0, not 0',
    ],
    [
      'a debounce that is a list',
      { debounce: [] },
      'members of debounce must be given as an object, not an empty list',
    ],
    ['a coalesce without a key', { coalesce: 'skip' }, 'coalesce "skip" needs concurrencyKey'],
    [
      'a coalesce and a debounce',
      { coalesce: 'skip', concurrencyKey: 'k', debounce: { key: 'k', delay: 1 } },
      'coalesce "skip" does not go with debounce',
    ],
    [
      'two times',
      { delay: '1h', runAt: '2030-01-01T00:00:00Z' },
      'delay "1h" does not go with runAt "2030-01-01T00:00:00Z"',
    ],
    ['a key that is no text', { concurrencyKey: 7 }, 'concurrencyKey must be a string, not 7'],
    [
      'a key with a NUL',
      { idempotencyKey: 'a\0' },
      'idempotencyKey must not hold a lone surrogate or a NUL, as "a\\u0000" does',
    ],
    ['a transaction that is none', { trx: {} }, 'trx must be a transaction of durably.db, not an object'],
  ])('of a trigger with %s', async (_, options, message) => {
    expect(await refused(() => durably.jobs.echo.trigger(1, options))).toBe(message);
  });

  it.each<[string, object, string]>([
    ['name', { name: 5 }, 'A job needs a non-empty name, not 5'],
    ['retries', { retries: 'x' }, 'retries must be a number of retries or an object with a limit, not "x"'],
    ['jitter', { retries: { limit: 1, jitter: 'x' } }, 'retries.jitter must be true or false, not "x"'],
    ['timeout', { timeout: 0 }, 'timeout must be longer than 0, not 0'],
    ['defaults', { defaults: 5 }, 'defaults of a step must be given as an object, not 5'],
    ['schedule', { schedule: 5 }, 'members of schedule must be given as an object, not 5'],
  ])('of a definition with a bad %s', async (_, member, message) => {
    expect(await refused(() => defineJob({ ...echo, ...member } as never))).toBe(message);
  });

  it.each<[string, Call]>([
    ['trigger', (jobName) => durably.trigger({ jobName, input: 1 })],
    ['batchTrigger', (jobName) => durably.batchTrigger([{ jobName, input: 1 }])],
    ['schedule', (jobName) => durably.schedule({ id: 'one', jobName, every: '1s' })],
    ['pauseJob', (jobName) => durably.pauseJob(jobName)],
    ['resumeJob', (jobName) => durably.resumeJob(jobName)],
  ])('of %s for a job that is no name', async (_, call) => {
    expect(await refused(() => call(5 as never))).toMatch(/jobName must be the name of a job, not 5$/);
  });

  it.each<[string, () => unknown, string]>([
    ['runId', () => durably.getRun(7 as never), 'runId must be a string, not 7'],
    ['name of a signal', () => durably.signal('run_1', '', 1), 'name must have 1 to 1024 characters, not ""'],
    [
      'signalId',
      () => durably.signal('run_1', 'go', 1, { signalId: '' }),
      'signalId must have 1 to 256 characters, not ""',
    ],
    [
      'cursor',
      () => durably.getRuns({ cursor: 'x' }),
      'Invalid filter: cursor: must be the cursor of a list, not "x"',
    ],
    [
      'offset beside a cursor',
      () => durably.getRuns({ cursor: 'c1', offset: 7 }),
      'Invalid filter: offset: 7 does not go with the cursor "c1"',
    ],
    [
      'label',
      () => durably.getRuns({ labels: { org: 7 as never } }),
      'Invalid filter: labels.org: must be one string of at most 256 characters, not 7',
    ],
    [
      'level',
      () => durably.getLogs({ runId: 'run_1', level: 'debug' as never }),
      'Invalid log query: level: Invalid option: expected one of "info"|"warn"|"error", not "debug"',
    ],
    [
      'handler',
      () => durably.on('run:start', 7 as never),
      'The handler of run:start must be a function, not 7',
    ],
    [
      'signal',
      () => durably.processUntilIdle({ signal: 7 as never }),
      'signal must be an AbortSignal, not 7',
    ],
  ])('of a bad %s', async (_, call, message) => {
    expect(await refused(call)).toBe(message);
  });

  it('of a fork from no step', async () => {
    const message = await refused(() => durably.fork('run_1', { from: 5 as never }));
    expect(message).toBe('from must be the name of a step, not 5');
  });
});

describe('the members of a job definition', () => {
  it('include every member of its type', () => {
    const whole = {
      ...{
        name: 'whole',
        input: echo.input,
        output: echo.input,
        run: () => 1,
        retries: 1,
        defaults: {},
        timeout: '1h',
      },
      ...{
        version: 1,
        concurrency: { limit: 1 },
        throttle: { limit: 1, per: '1s' },
        schedule: { every: '1h' },
      },
      '~output': undefined,
    };
    expect(() => defineJob(whole as never)).not.toThrow();
  });

  it.each([
    ['retires', 'retries'],
    ['~ouput', '~output'],
    ['outptu', 'output'],
  ])('do not include %s', async (name, meant) => {
    const message = await refused(() => defineJob({ ...echo, [name]: 1 } as never));
    expect(message).toBe(`Unknown job definition member "${name}"; did you mean "${meant}"?`);
  });
});
