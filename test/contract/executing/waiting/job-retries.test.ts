import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { job } from '../../../support/jobs.ts';
import { journalTypes, recordEvents, untilStatus } from '../../../support/runs.ts';
import { AT_ONCE } from './patient.ts';

contract('a job with retries', (test) => {
  test('runs again from its finished steps, each time as another attempt, and fails once', async ({
    world,
  }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const events = recordEvents(durably, ['run:start', 'run:retry', 'run:fail']);
    let finished = 0;
    const { flaky } = durably.register({
      flaky: defineJob({
        name: 'flaky',
        input: z.unknown(),
        retries: { limit: 2, ...AT_ONCE },
        run: async (step) => {
          await step.run('once', () => finished++);
          throw new Error(`attempt ${step.attempt}`);
        },
      }),
    });
    const { id } = await flaky.trigger(0);
    expect(await untilStatus(durably, id, 'failed')).toMatchObject({ error: 'attempt 3', attempt: 3 });
    expect(finished).toBe(1);
    expect(events.map(({ type }) => type)).toEqual([
      'run:start',
      'run:retry',
      'run:start',
      'run:retry',
      'run:start',
      'run:fail',
    ]);
    expect(events[1]).toMatchObject({
      automatic: true,
      error: 'attempt 1',
      nextAttemptAt: expect.any(String),
    });
  });

  test('waits before it runs again, and can be cancelled meanwhile', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const { flaky } = durably.register({
      flaky: defineJob({
        name: 'flaky',
        input: z.unknown(),
        retries: { limit: 2, delay: '1h' },
        run: () => Promise.reject(new Error('failed')),
      }),
    });
    const { id } = await flaky.trigger(0);
    expect(await untilStatus(durably, id, 'waiting')).toMatchObject({
      error: null,
      completedAt: null,
      waits: [{ kind: 'retry', stepName: null }],
    });
    expect(await journalTypes(durably, id)).toEqual(['run:trigger', 'run:start', 'run:retry']);
    await durably.cancel(id);
    expect((await durably.getRun(id))?.status).toBe('cancelled');
  });

  test('fails with its own error if the database refuses the retry', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    await (await world.tools()).refuseEvents('run:retry');
    const { flaky } = durably.register({
      flaky: defineJob({
        name: 'flaky',
        input: z.unknown(),
        retries: { limit: 2, ...AT_ONCE },
        run: () => Promise.reject(new Error('broken')),
      }),
    });
    const { id } = await flaky.trigger(0);
    expect(await untilStatus(durably, id, 'failed')).toMatchObject({ error: 'broken', attempt: 1 });
  });

  test('fails with what its delay function threw, caused by its own error', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const { flaky } = durably.register({
      flaky: defineJob({
        name: 'flaky',
        input: z.unknown(),
        retries: {
          limit: 2,
          delay: () => {
            throw new TypeError('no delay');
          },
        },
        run: (step) => step.run('work', () => Promise.reject(new Error('broken'))),
      }),
    });
    const { id } = await flaky.trigger(0);
    expect(await untilStatus(durably, id, 'failed')).toMatchObject({
      error: 'Job "flaky": its delay of retries failed: no delay',
      errorDetail: { cause: { message: 'broken' } },
      failedStepName: 'work',
      attempt: 1,
    });
  });

  test('refuses invalid retries when it is registered', async ({ world }) => {
    const { durably } = await world.start();
    const bad = { ...job('bad', () => 0), retries: { limit: 'many' } } as never;
    expect(() => durably.register({ bad })).toThrow(/retries\.limit must be a whole number/);
  });
});
