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
      'members of debounce must be given as an object, not object',
    ],
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

  it('of a fork from no step', async () => {
    const message = await refused(() => durably.fork('run_1', { from: 5 as never }));
    expect(message).toBe('from must be the name of a step, not 5');
  });
});
