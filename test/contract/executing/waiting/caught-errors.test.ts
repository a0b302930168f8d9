import { expect } from 'vitest';
import { z } from 'zod';
import {
  ChildRunError,
  defineJob,
  NonRetryableError,
  NotFoundError,
  RetryAfterError,
  StepError,
  StepTimeoutError,
} from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { job } from '../../../support/jobs.ts';
import { untilStatus } from '../../../support/runs.ts';
import { deferred, until } from '../../../support/until.ts';
import { AT_ONCE, PATIENT } from './patient.ts';

/** A user's own class of that name. */
const Lookalike = { StepTimeoutError: class StepTimeoutError extends Error {} }.StepTimeoutError;

const refused = () => Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });

const THROWN: readonly (() => Error)[] = [
  () => new StepError('wrong', { cause: new TypeError('fetch failed', { cause: refused() }) }),
  () => new NonRetryableError('never', { cause: refused() }),
  () => new RetryAfterError('later', '30s'),
  () => new Error('outer', { cause: new RetryAfterError('later', '30s') }),
  () => new Error('outer', { cause: new NonRetryableError('never') }),
  () => new AggregateError([refused(), new NotFoundError('no run')], 'both'),
  () => Object.assign(new Lookalike('mine'), { name: 'StepTimeoutError' }),
  () => Object.assign(new Error('mine'), { name: 'NotFoundError', code: 404 }),
  () => new Error('long '.repeat(2_000), { cause: refused() }),
];

const CLASSES = {
  StepTimeoutError,
  StepError,
  NonRetryableError,
  RetryAfterError,
  NotFoundError,
  ChildRunError,
};

/** What a job can tell of an error. */
function told(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, code, cause, errors, delayMs, runId, status } = error as Error &
    Record<string, unknown>;
  const classes = Object.entries(CLASSES).flatMap(([each, ofClass]) =>
    error instanceof ofClass ? [each] : [],
  );
  return JSON.stringify({
    ...{ name, message, code, delayMs, runId, status, classes },
    cause: told(cause),
    errors: (errors as unknown[] | undefined)?.map(told),
  });
}

contract('an error of a step that its job caught', (test) => {
  for (const options of [{}, { sensitive: true }])
    for (const errorDetail of ['full', 'message'] as const)
      test(`is the same in what counts after waits and a hand-back, ${JSON.stringify({ ...options, errorDetail })}`, async ({
        world,
      }) => {
        const seen: unknown[][] = [];
        const calls: number[] = [];
        const [running, gate] = [deferred(), deferred()];
        const fails = job('fails', () => {
          throw new Error('no');
        });
        const definition = job('catches', async (step) => {
          const caught: unknown[] = [];
          seen.push(caught);
          for (const [i, make] of THROWN.entries()) {
            const fail = () => {
              calls.push(i);
              throw make();
            };
            await step.run(`step ${i}`, options, fail).catch((error) => caught.push(told(error)));
          }
          const hang = () => new Promise(() => undefined);
          await step.run('slow', { ...options, timeout: 1 }, hang).catch((error) => caught.push(told(error)));
          await step.invoke('child', fails, 0).catch((error) => caught.push(told(error)));
          await step.waitForSignal('go');
          await step.run('long', async () => {
            running.resolve();
            await gate.promise;
          });
          await step.run('last', () => undefined);
        });
        const first = await world.start({ ...PATIENT, errorDetail });
        const { catches } = first.durably.register({ fails, catches: definition });
        const { id } = await catches.trigger(0);
        await first.durably.signal(id, 'go');
        await running.promise;
        const stopped = first.durably.stop();
        gate.resolve();
        await stopped;
        const second = await world.instance({ pollingInterval: 25, errorDetail });
        second.durably.register({ fails, catches: definition });
        second.durably.start();
        await untilStatus(second.durably, id, 'completed');
        const [last = []] = seen.slice(-1);
        expect(last).toHaveLength(THROWN.length + 2);
        const [begun = []] = seen;
        // The first execution was put to wait for the child.
        expect(last.slice(0, begun.length)).toEqual(begun);
        expect(begun).toHaveLength(THROWN.length + 1);
        expect(begun.at(-1)).toMatch(/"classes":\["StepTimeoutError","StepError"\]/);
        expect(last.at(-1)).toMatch(/"status":"failed","classes":\["ChildRunError"\]/);
        expect(calls).toEqual([...THROWN.keys()]);
        if (errorDetail === 'message')
          for (const { errorDetail: detail } of await second.durably.getSteps(id))
            expect(JSON.stringify(detail)).not.toContain('"stack"');
      });

  test('is that of another call after a takeover, and in a fork', async ({ world }) => {
    const { durably } = await world.idle({ pollingInterval: 25 });
    const tools = await world.tools();
    const [running, gate] = [deferred(), deferred()];
    const caught: unknown[] = [];
    let calls = 0;
    const definition = job('catches', async (step) => {
      const fail = () => {
        throw new NonRetryableError(`call ${++calls}`, { cause: refused() });
      };
      await step.run('fails', fail).catch((error) => caught.push(told(error)));
      await step.run('long', async () => {
        running.resolve();
        await gate.promise;
      });
    });
    const { catches } = durably.register({ catches: definition });
    const { id } = await catches.trigger(0);
    const lost = await world.start({ pollingInterval: 25 });
    lost.durably.register({ catches: definition });
    await running.promise;
    await tools.ageHeartbeat(id, 60_000);
    durably.start();
    await until(async () => (await durably.getRun(id))?.attempt === 2, 'the takeover');
    gate.resolve();
    await untilStatus(durably, id, 'completed');
    const fork = await durably.fork(id, { from: 'long' });
    await untilStatus(durably, fork.id, 'completed');
    const calledOnce = told(new NonRetryableError('call 1', { cause: refused() }));
    const texts = [1, 2, 3].map((n) => String(calledOnce).replace('call 1', `call ${n}`));
    expect(caught).toEqual(texts);
  });

  test('decides on the retries of its job as it would have at first', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const errors = [
      new Error('outer', { cause: new NonRetryableError('never') }),
      new Error('outer', { cause: new RetryAfterError('later', '1h') }),
    ];
    const rethrows = defineJob({
      name: 'rethrows',
      input: z.unknown(),
      retries: { limit: 1, ...AT_ONCE },
      run: async (step, i) => {
        const caught = await step
          .run('fails', () => {
            throw errors[i as number];
          })
          .catch((error: unknown) => error);
        await step.waitForSignal('go');
        throw caught;
      },
    });
    const { rethrows: jobs } = durably.register({ rethrows });
    const runs = await Promise.all(errors.map((_, i) => jobs.trigger(i)));
    for (const { id } of runs) await untilStatus(durably, id, 'waiting');
    for (const { id } of runs) await durably.signal(id, 'go');
    const [never, later] = runs.map(({ id }) => id);
    expect(await untilStatus(durably, never ?? '', 'failed')).toMatchObject({ attempt: 1 });
    const waiting = async () => (await durably.getRun(later ?? ''))?.waits[0];
    await expect.poll(waiting).toMatchObject({ kind: 'retry', stepName: null });
    const inMs = Date.parse((await waiting())?.until ?? '') - Date.now();
    expect(inMs).toBeGreaterThan(1_800_000);
  });
});
