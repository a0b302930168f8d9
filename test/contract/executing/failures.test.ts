import { sql } from 'kysely';
import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { journalTypes, nextEvent, recordEvents, rejectionOf, untilStatus } from '../../support/runs.ts';
import type { World } from '../../support/world.ts';

/** Executes a job with this body and returns how it failed. */
async function failureOf(world: World, run: Parameters<typeof job>[1]) {
  const { durably } = await world.start();
  const { failing } = durably.register({ failing: job('failing', run) });
  const failed = nextEvent(durably, 'run:fail');
  const { id } = await failing.trigger(0);
  const { error, failedStepName } = await failed;
  expect(await durably.getRun(id)).toMatchObject({ status: 'failed', error });
  return { durably, id, error, failedStepName };
}

contract('failing', (test) => {
  test('a step that throws is stored with its error and fails the run', async ({ world }) => {
    const { durably, id, ...failure } = await failureOf(world, (step) =>
      step.run('fetch', () => {
        throw new Error('no route');
      }),
    );
    expect(failure).toEqual({ error: 'no route', failedStepName: 'fetch' });
    expect(await durably.getSteps(id)).toMatchObject([
      { name: 'fetch', index: 0, status: 'failed', error: 'no route', output: null },
    ]);
    expect(await journalTypes(durably, id)).toEqual([
      'run:trigger',
      'run:start',
      'step:start',
      'step:fail',
      'run:fail',
    ]);
  });

  test('a run that fails outside its steps has the failed step "unknown"', async ({ world }) => {
    const failure = await failureOf(world, async (step) => {
      await step.run('fine', () => 1);
      throw new Error('on its own');
    });
    expect(failure).toMatchObject({ error: 'on its own', failedStepName: 'unknown' });
  });

  test("an error with a step's error as its cause names that step", async ({ world }) => {
    const failure = await failureOf(world, async (step) => {
      const cause = await rejectionOf(step.run('deep', () => Promise.reject(new Error('root'))));
      const middle = new Error('middle', { cause });
      throw new Error('outer', { cause: middle });
    });
    expect(failure).toMatchObject({ error: 'outer', failedStepName: 'deep' });
  });

  test('a later error does not name a step whose failure was caught', async ({ world }) => {
    const failure = await failureOf(world, async (step) => {
      await rejectionOf(step.run('caught', () => Promise.reject(new Error('caught'))));
      throw new Error('other');
    });
    expect(failure).toMatchObject({ error: 'other', failedStepName: 'unknown' });
  });

  test('when the first of two caught failures is thrown again, it names its own step', async ({ world }) => {
    const failure = await failureOf(world, async (step) => {
      const first = await rejectionOf(step.run('first', () => Promise.reject(new Error('one'))));
      await rejectionOf(step.run('second', () => Promise.reject(new Error('two'))));
      throw first;
    });
    expect(failure).toMatchObject({ error: 'one', failedStepName: 'first' });
  });

  test('an error with a circular chain of causes fails the run', async ({ world }) => {
    const failure = await failureOf(world, () => {
      const one = new Error('one');
      one.cause = new Error('two', { cause: one });
      throw one;
    });
    expect(failure).toMatchObject({ error: 'one', failedStepName: 'unknown' });
  });

  const oddMessage = (message: unknown): Error => Object.assign(new Error(), { message });

  const thrown: readonly (readonly [string, () => unknown, string | undefined])[] = [
    ['a string', () => 'just text', 'just text'],
    ['a number', () => 42, '42'],
    ['undefined', () => undefined, 'undefined'],
    ['null', () => null, 'null'],
    ['an error without a message', () => new TypeError(), 'TypeError'],
    ['an object that has no text', () => Object.create(null), 'unknown error'],
    ['a symbol', () => Symbol('odd'), 'Symbol(odd)'],
    ['an error whose message is a number', () => oddMessage(404), '404'],
    ['an error whose message is an object', () => oddMessage({ code: 1 }), '{"code":1}'],
    ['an object with a message', () => ({ code: 'E', message: 'told' }), 'told'],
    ['an object without a message', () => ({ code: 'E', at: [1] }), '{"code":"E","at":[1]}'],
    [
      'an error whose message throws',
      () => Object.defineProperty(new Error(), 'message', { get: raise }),
      undefined,
    ],
    [
      'an error whose cause throws',
      () => Object.defineProperty(new Error('c'), 'cause', { get: raise }),
      'c',
    ],
    [
      'an error with another cause each time',
      () => Object.defineProperty(new Error('e'), 'cause', { get: endlessCause }),
      'e',
    ],
    [
      'a proxy that may not be asked anything',
      () => new Proxy({}, { get: raise, has: raise, getPrototypeOf: raise, ownKeys: raise }),
      undefined,
    ],
    ['a revoked proxy', revokedProxy, undefined],
    ['an error with a lone surrogate and a NUL', () => new Error('a\ud800b\0c'), 'a\ufffdb\ufffdc'],
  ];

  test.for(thrown)('a step or a job may throw %s', async ([, make, text], { world }) => {
    const { durably } = await world.start();
    const { thrower } = durably.register({
      thrower: job('thrower', async (step, where) => {
        if (where === 'outside') throw make();
        await step.run('step', () => {
          throw make();
        });
      }),
    });
    for (const where of ['outside', 'step']) {
      const run = await untilStatus(durably, (await thrower.trigger(where)).id, 'failed');
      expect(run.error).toEqual(text ?? expect.any(String));
    }
  });

  test('a job that throws before its first await fails like any other', async ({ world }) => {
    expect(
      await failureOf(world, () => {
        throw new Error('at once');
      }),
    ).toMatchObject({ error: 'at once', failedStepName: 'unknown' });
  });

  test('the failure is the last event in the journal', async ({ world }) => {
    const { durably, id } = await failureOf(world, (step) => {
      setImmediate(() => {
        step.log.info('too late');
        step.progress(9);
      });
      throw new Error('over');
    });
    const events = recordEvents(durably);
    const after = await untilStatus(durably, id, 'failed');
    await durably.stop();
    expect((await journalTypes(durably, id)).at(-1)).toBe('run:fail');
    expect(after.progress).toBeNull();
    expect(events).toEqual([]);
  });

  test.for(['run:complete', 'step:complete'])(
    'a %s that the database refuses fails the run',
    async (type, { world }) => {
      const { durably } = await world.start();
      await sql`
      create trigger refuse before insert on durably_journal when new.type = ${sql.lit(type)}
      begin select raise(abort, 'too large'); end
    `.execute(durably.db);
      const { refused } = durably.register({
        refused: job('refused', (step) => step.run('one', () => 'result')),
      });
      const run = await untilStatus(durably, (await refused.trigger(0)).id, 'failed');
      expect(run).toMatchObject({ attempt: 1, output: null });
      expect(run.error).toMatch(type === 'run:complete' ? /^Invalid output: / : /./);
    },
  );

  test('the worker continues with the next run', async ({ world }) => {
    const { durably } = await world.start();
    const { sometimes } = durably.register({
      sometimes: job('sometimes', (_, input) => {
        if (input === 'bad') throw new Error('bad');
        return 'good';
      }),
    });
    const [bad, good] = await sometimes.batchTrigger(['bad', 'good']);
    await untilStatus(durably, good?.id ?? '', 'completed');
    expect((await durably.getRun(bad?.id ?? ''))?.status).toBe('failed');
  });
});

function raise(): never {
  throw new Error('no message');
}

function endlessCause(): Error {
  return Object.defineProperty(new Error(), 'cause', { get: endlessCause });
}

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
