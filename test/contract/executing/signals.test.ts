import { expect } from 'vitest';
import { z } from 'zod';
import {
  ConflictError,
  NotFoundError,
  type StepContext,
  StepError,
  ValidationError,
} from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { journalTypes, rejectionOf, untilStatus } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';

const HOUR_MS = 3_600_000;

/** A worker that would not look again by itself for an hour. */
const PATIENT = { pollingInterval: HOUR_MS };

contract('a step that waits for a signal', (test) => {
  test('puts its run to wait, and takes the signal that comes', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { asks } = durably.register({
      asks: job('asks', async (step) => {
        await step.run('before', () => 1);
        return await step.waitForSignal('approval');
      }),
    });
    const { id } = await asks.trigger(0);
    const waiting = await untilStatus(durably, id, 'waiting');
    expect(waiting).toMatchObject({
      isActive: true,
      waits: [{ kind: 'signal', stepName: 'approval', signal: 'approval', until: null }],
    });
    expect(await durably.signal(id, 'approval', { ok: true })).toEqual({ disposition: 'accepted' });
    expect(await untilStatus(durably, id, 'completed')).toMatchObject({
      output: { ok: true },
      attempt: 1,
      waits: [],
    });
    expect(await durably.getSteps(id)).toMatchObject([
      { name: 'before', kind: 'run' },
      { name: 'approval', index: 1, kind: 'signal', status: 'completed', output: { ok: true } },
    ]);
    expect(await journalTypes(durably, id)).toEqual([
      'run:trigger',
      'run:start',
      'step:start',
      'step:complete',
      'step:start',
      'run:wait',
      'run:signal',
      'run:resume',
      'step:complete',
      'run:complete',
    ]);
  });

  test('takes one that came before its run began', async ({ world }) => {
    const { durably } = await world.idle(PATIENT);
    const { asks } = durably.register({ asks: job('asks', (step) => step.waitForSignal('go')) });
    const { id } = await asks.trigger(0);
    await durably.signal(id, 'go', 'early');
    durably.start();
    expect((await untilStatus(durably, id, 'completed')).output).toBe('early');
  });

  test('takes one that came while its run executed', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const gate = deferred();
    const { asks } = durably.register({
      asks: job('asks', async (step) => {
        await step.run('works', () => gate.promise);
        return await step.waitForSignal('go');
      }),
    });
    const { id } = await asks.trigger(0);
    await untilStatus(durably, id, 'running');
    await durably.signal(id, 'go', 'meanwhile');
    gate.resolve();
    expect((await untilStatus(durably, id, 'completed')).output).toBe('meanwhile');
  });

  test('takes those of a name in the order in which they came, each once', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { collects } = durably.register({
      collects: job('collects', async (step) => {
        const all: unknown[] = [];
        for (let i = 0; i < 4; i++) all.push(await step.waitForSignal(`wait ${i}`, { signal: 'item' }));
        return all;
      }),
    });
    const { id } = await collects.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'other', 'not asked for');
    for (const each of [1, 2, 3]) await durably.signal(id, 'item', each);
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'item', 4);
    expect((await untilStatus(durably, id, 'completed')).output).toEqual([1, 2, 3, 4]);
  });

  test('shares signals with steps that wait beside it: each is one step’s', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { pair } = durably.register({
      pair: job('pair', (step) =>
        Promise.all(['a', 'b'].map((name) => step.waitForSignal(name, { signal: 'item' }))),
      ),
    });
    const { id } = await pair.trigger(0);
    expect((await untilStatus(durably, id, 'waiting')).waits).toHaveLength(2);
    await durably.signal(id, 'item', 1);
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'item', 2);
    expect(((await untilStatus(durably, id, 'completed')).output as number[]).sort()).toEqual([1, 2]);
  });

  test('reads null for a signal without payload, and undefined when its time is up', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    const { asks } = durably.register({
      asks: job('asks', async (step) => {
        const first = await step.waitForSignal('first', { timeout: '1h' });
        const second = await step.waitForSignal('second', { timeout: '2h' });
        return [first === null, second === undefined];
      }),
    });
    const { id } = await asks.trigger(0);
    const waiting = await untilStatus(durably, id, 'waiting');
    expect(Date.parse(waiting.waits[0]?.until ?? '')).toBeGreaterThan(Date.now() + HOUR_MS / 2);
    await durably.signal(id, 'first');
    await untilStatus(durably, id, 'waiting');
    await tools.ageDue(id, 2 * HOUR_MS);
    expect((await untilStatus(durably, id, 'completed')).output).toEqual([true, true]);
    expect((await durably.getSteps(id))[1]).toMatchObject({ name: 'second', kind: 'signal', output: null });
  });

  test('keeps a signal that comes after its time for the next wait of that name', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    const { asks } = durably.register({
      asks: job('asks', async (step) => {
        const inTime = await step.waitForSignal('in time', { signal: 'answer', timeout: '1h' });
        return [inTime ?? 'nothing', await step.waitForSignal('late', { signal: 'answer' })];
      }),
    });
    const { id } = await asks.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await tools.ageDue(id, HOUR_MS);
    await until(async () => (await durably.getRun(id))?.waits[0]?.stepName === 'late', 'the second wait');
    await durably.signal(id, 'answer', 7);
    expect((await untilStatus(durably, id, 'completed')).output).toEqual(['nothing', 7]);
  });

  test('parses the payload with its schema; one that it refuses is taken and fails the step', async ({
    world,
  }) => {
    const { durably } = await world.start(PATIENT);
    const schema = z.object({ ok: z.boolean(), at: z.coerce.date() });
    const { asks } = durably.register({
      asks: job('asks', (step) => step.waitForSignal('approval', { schema })),
    });
    const { id } = await asks.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'approval', { ok: 'yes', at: '2026-01-01' });
    const failed = await untilStatus(durably, id, 'failed');
    expect(failed.error).toMatch(/^Invalid signal: ok/);
    expect(failed.failedStepName).toBe('approval');
    await durably.retry(id);
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'approval', { ok: true, at: '2026-01-01' });
    expect((await untilStatus(durably, id, 'completed')).output).toEqual({
      ok: true,
      at: '2026-01-01T00:00:00.000Z',
    });
  });

  test('replays what it took, however often its run goes on', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    let fails = true;
    const { asks } = durably.register({
      asks: job('asks', async (step) => {
        const answers = [await step.waitForSignal('one'), await step.waitForSignal('two', { timeout: 0 })];
        if (fails) throw new Error('once');
        return answers.map((each) => each ?? 'nothing');
      }),
    });
    const { id } = await asks.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'one', 1);
    await untilStatus(durably, id, 'failed');
    fails = false;
    await durably.retry(id);
    expect((await untilStatus(durably, id, 'completed')).output).toEqual([1, 'nothing']);
  });

  test('waits while a step runs beside it, and its run is put to wait after that', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const gate = deferred();
    const { both } = durably.register({
      both: job('both', (step) =>
        Promise.all([step.waitForSignal('go'), step.run('works', () => gate.promise.then(() => 'done'))]),
      ),
    });
    const { id } = await both.trigger(0);
    await untilStatus(durably, id, 'running');
    await durably.signal(id, 'go', 1);
    expect((await durably.getRun(id))?.status).toBe('running');
    gate.resolve();
    expect((await untilStatus(durably, id, 'completed')).output).toEqual([1, 'done']);
  });

  test.for([
    ['a name of the signal that is empty', { signal: '' }, /signal must have 1 to 1024 characters/],
    ['a timeout that is none', { timeout: 'soon' }, /timeout/],
    ['an unknown option', { timout: 1 }, /did you mean "timeout"/],
    ['a schema that is none', { schema: {} }, /schema must be a zod schema/],
  ] as const)('refuses %s', async ([, options, message], { world }) => {
    const { durably } = await world.start(PATIENT);
    const { asks } = durably.register({
      asks: job('asks', async (step) => {
        const wait = step.waitForSignal as (name: string, options: unknown) => Promise<unknown>;
        const error = await rejectionOf(wait('approval', options));
        return [error instanceof StepError, error.message];
      }),
    });
    const { id } = await asks.trigger(0);
    const { output } = await untilStatus(durably, id, 'completed');
    expect(output).toEqual([true, expect.stringMatching(message)]);
  });
});

contract('signal', (test) => {
  test('with the same signalId changes nothing; with other content it is a conflict', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { asks } = durably.register({ asks: job('asks', asksTwice) });
    const { id } = await asks.trigger(0);
    await untilStatus(durably, id, 'waiting');
    const signalId = 'mail-7';
    expect(await durably.signal(id, 'answer', 1, { signalId })).toEqual({ disposition: 'accepted' });
    expect(await durably.signal(id, 'answer', 1, { signalId })).toEqual({ disposition: 'duplicate' });
    for (const [name, payload] of [
      ['answer', 2],
      ['other', 1],
    ] as const) {
      const refused = await rejectionOf(durably.signal(id, name, payload, { signalId }));
      expect(refused).toBeInstanceOf(ConflictError);
      expect(refused.message).toContain('mail-7');
    }
    expect(await durably.signal(id, 'answer', 1)).toEqual({ disposition: 'accepted' });
    expect((await untilStatus(durably, id, 'completed')).output).toEqual([1, 1]);
    // Sent again after the end, it is still the one that was accepted.
    expect(await durably.signal(id, 'answer', 1, { signalId })).toEqual({ disposition: 'duplicate' });
  });

  test('is refused for an unknown run, and for one that is over', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { quick } = durably.register({ quick: job('quick', () => 1) });
    const { id } = await quick.trigger(0);
    await untilStatus(durably, id, 'completed');
    const over = await rejectionOf(durably.signal(id, 'late'));
    expect(over).toBeInstanceOf(ConflictError);
    expect(over.message).toBe('Cannot signal a completed run');
    expect(await rejectionOf(durably.signal('run_unknown', 'x'))).toBeInstanceOf(NotFoundError);
  });

  test('is refused when 1,000 wait that no step has taken', async ({ world }) => {
    const { durably } = await world.idle(PATIENT);
    const { asks } = durably.register({ asks: job('asks', (step) => step.waitForSignal('go')) });
    const { id } = await asks.trigger(0);
    const sent = await Promise.all(Array.from({ length: 1_000 }, (_, i) => durably.signal(id, 'go', i)));
    expect(sent.every(({ disposition }) => disposition === 'accepted')).toBe(true);
    const full = await rejectionOf(durably.signal(id, 'go', 1_000));
    expect(full).toBeInstanceOf(ConflictError);
    expect(full.message).toContain('1000 signals');
    durably.start();
    expect((await untilStatus(durably, id, 'completed')).output).toBe(0);
  });

  test('names what it refuses, and stores nothing', async ({ world }) => {
    const { durably } = await world.idle(PATIENT);
    const { asks } = durably.register({ asks: job('asks', (step) => step.waitForSignal('go')) });
    const { id } = await asks.trigger(0);
    const send = durably.signal as (...args: unknown[]) => Promise<unknown>;
    const refusals = [
      [send(id, ''), /name must have/],
      [send(id, 7), /name must be a string/],
      [send(id, 'go', 1n), /Invalid payload/],
      [send(id, 'go', 1, { signalId: '' }), /signalId must have/],
      [send(id, 'go', 1, { signalID: 'x' }), /did you mean "signalId"/],
    ] as const;
    for (const [sent, message] of refusals) {
      const refused = await rejectionOf(sent);
      expect(refused).toBeInstanceOf(ValidationError);
      expect(refused.message).toMatch(message);
    }
    expect(await journalTypes(durably, id)).toEqual(['run:trigger']);
  });

  test('may have a payload larger than what comes with a claim', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { asks } = durably.register({
      asks: job('asks', async (step) => ((await step.waitForSignal('big')) as string).length),
    });
    const { id } = await asks.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'big', 'x'.repeat(100_000));
    expect((await untilStatus(durably, id, 'completed')).output).toBe(100_000);
  });

  test('reaches a run that another process put to wait', async ({ world }) => {
    const [one, two] = [await world.start({ pollingInterval: 5 }), await world.idle()];
    const asks = job('asks', (step) => step.waitForSignal('go'));
    const { asks: handle } = one.durably.register({ asks });
    const { id } = await handle.trigger(0);
    await untilStatus(two.durably, id, 'waiting');
    await two.durably.signal(id, 'go', 'from afar');
    expect((await untilStatus(two.durably, id, 'completed')).output).toBe('from afar');
  });

  test('goes with its run when that is deleted', async ({ world }) => {
    const { durably } = await world.idle();
    const { asks } = durably.register({ asks: job('asks', (step) => step.waitForSignal('go')) });
    const { id } = await asks.trigger(0);
    for (const each of [1, 2]) await durably.signal(id, 'go', each);
    await durably.cancel(id);
    await durably.deleteRun(id);
    const { store } = await world.store();
    expect(await store.listSignals(id)).toEqual([]);
  });
});

function asksTwice(step: StepContext) {
  return Promise.all([1, 2].map((n) => step.waitForSignal(`wait ${n}`, { signal: 'answer' })));
}
