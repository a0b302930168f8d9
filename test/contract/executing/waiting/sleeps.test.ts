import { expect } from 'vitest';
import { type StepContext, StepError } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { idle } from '../../../support/idle.ts';
import { echo, job } from '../../../support/jobs.ts';
import { journalTypes, nextEvent, rejectionOf, untilEnded, untilStatus } from '../../../support/runs.ts';
import { deferred, until } from '../../../support/until.ts';
import { HOUR_MS } from './patient.ts';

contract('a step that sleeps', (test) => {
  test('puts its run to wait, which goes on when the time has come, from its finished steps', async ({
    world,
  }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    const calls: string[] = [];
    const { nap } = durably.register({
      nap: job('nap', async (step) => {
        await step.run('before', () => calls.push('before'));
        await step.sleep('rest', '1h');
        return await step.run('after', () => calls.push('after'));
      }),
    });
    const before = Date.now();
    const { id } = await nap.trigger(0);
    const waiting = await untilStatus(durably, id, 'waiting');
    expect(waiting).toMatchObject({
      isActive: true,
      isTerminal: false,
      heartbeatAt: null,
      waits: [{ kind: 'sleep', stepName: 'rest', until: expect.any(String) }],
    });
    const until = Date.parse(waiting.waits[0]?.until ?? '');
    expect(until).toBeGreaterThanOrEqual(before + HOUR_MS - 1);
    expect((await durably.getSteps(id)).map(({ name }) => name)).toEqual(['before']);
    await tools.ageDue(id, HOUR_MS);
    const done = await untilStatus(durably, id, 'completed');
    expect(done).toMatchObject({ waits: [], attempt: 1, output: 2, stepCount: 3 });
    expect(calls).toEqual(['before', 'after']);
    expect(await journalTypes(durably, id)).toEqual([
      'run:trigger',
      'run:start',
      'step:start',
      'step:complete',
      'step:start',
      'run:wait',
      'run:resume',
      'step:complete',
      'step:start',
      'step:complete',
      'run:complete',
    ]);
    expect(await durably.getSteps(id)).toMatchObject([
      { name: 'before', index: 0, kind: 'run' },
      { name: 'rest', index: 1, kind: 'sleep', status: 'completed', output: null },
      { name: 'after', index: 2, kind: 'run' },
    ]);
  });

  test('keeps the time that its first call fixed, and its index', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    const { nap } = durably.register({
      nap: job('nap', (step) => Promise.all([step.sleep('short', '1h'), step.sleep('long', '2h')])),
    });
    const { id } = await nap.trigger(0);
    const first = await untilStatus(durably, id, 'waiting');
    expect(first.waits.map(({ stepName }) => stepName)).toEqual(['short', 'long']);
    const resumed = nextEvent(durably, 'run:wait', id);
    await tools.ageDue(id, 1.5 * HOUR_MS);
    const { waits } = await resumed;
    expect(waits).toEqual([
      {
        kind: 'sleep',
        stepName: 'long',
        until: new Date(Date.parse(first.waits[1]?.until ?? '') - 1.5 * HOUR_MS).toISOString(),
      },
    ]);
    await untilStatus(durably, id, 'waiting');
    await tools.ageDue(id, HOUR_MS);
    await untilStatus(durably, id, 'completed');
    expect((await durably.getSteps(id)).map(({ name, index }) => [name, index])).toEqual([
      ['short', 0],
      ['long', 1],
    ]);
  });

  test('until a time that is over ends at once', async ({ world }) => {
    const { durably } = await world.start();
    const { nap } = durably.register({
      nap: job('nap', async (step) => {
        await step.sleepUntil('past', '2020-01-01T00:00:00Z');
        await step.sleepUntil('past date', new Date(0));
        await step.sleep('none', 0);
      }),
    });
    const { id } = await nap.trigger(0);
    await untilStatus(durably, id, 'completed');
    expect(await journalTypes(durably, id)).not.toContain('run:wait');
    expect((await durably.getSteps(id)).map(({ kind }) => kind)).toEqual(['sleep', 'sleep', 'sleep']);
  });

  test('for less than a second keeps its slot', async ({ world }) => {
    const { durably } = await world.start();
    const { nap } = durably.register({ nap: job('nap', (step) => step.sleep('moment', 20)) });
    const { id } = await nap.trigger(0);
    await untilStatus(durably, id, 'completed');
    expect(await journalTypes(durably, id)).not.toContain('run:wait');
  });

  test('beside a running step does not put its run to wait before that step has ended', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const gate = deferred();
    const { nap } = durably.register({
      nap: job('nap', (step) =>
        Promise.all([step.sleep('rest', '1h'), step.run('work', () => gate.promise)]),
      ),
    });
    const { id } = await nap.trigger(0);
    await nextEvent(durably, 'step:start', id);
    expect((await durably.getRun(id))?.status).toBe('running');
    const waits = nextEvent(durably, 'run:wait', id);
    gate.resolve();
    await waits;
    expect((await durably.getSteps(id)).map(({ name }) => name)).toEqual(['work']);
  });

  test('abandons what the job does outside of its steps, with an aborted signal', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const aborted: string[] = [];
    const { nap } = durably.register({
      nap: job('nap', async (step) => {
        step.signal.addEventListener('abort', () => aborted.push((step.signal.reason as Error).message));
        await Promise.all([step.sleep('rest', '1h'), new Promise(() => undefined)]);
      }),
    });
    const { id } = await nap.trigger(0);
    await untilStatus(durably, id, 'waiting');
    expect(aborted).toEqual([`Run ${id} waits: it goes on from its steps when its wait is over`]);
  });

  test('never settles a step that abandoned code calls, of any kind', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: HOUR_MS });
    const gate = deferred();
    const settled: unknown[] = [];
    const { nap } = durably.register({
      echo,
      nap: job('nap', async (step) => {
        const beside = async () => {
          await gate.promise;
          const calls = [
            step.run('late', () => settled.push('called')),
            step.transaction('stored', async () => settled.push('called')),
            step.sleep('sleep', 0),
            step.waitForSignal('signal'),
            step.invoke('invoke', echo, 0),
            step.trigger('trigger', echo, 0),
          ];
          for (const call of calls)
            void call.then(
              () => settled.push('settled'),
              (error) => settled.push(error),
            );
        };
        await Promise.all([step.sleep('rest', '1h'), beside()]);
      }),
    });
    const { id } = await nap.trigger(0);
    await untilStatus(durably, id, 'waiting');
    gate.resolve();
    await idle();
    expect(settled).toEqual([]);
    expect(await durably.getRuns({ parentRunId: id })).toEqual([]);
  });

  test('is cancelled at once while its run waits, and can be neither retried nor deleted', async ({
    world,
  }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const { nap } = durably.register({ nap: job('nap', (step) => step.sleep('rest', '1h')) });
    const { id } = await nap.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await expect(durably.retry(id)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(durably.deleteRun(id)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await durably.getRuns({ status: 'waiting' })).map((run) => run.id)).toEqual([id]);
    await durably.cancel(id);
    expect(await durably.getRun(id)).toMatchObject({ status: 'cancelled', waits: [] });
  });

  test.for([
    [
      'a negative duration',
      (step: StepContext) => step.sleep('rest', -1),
      /^Step "rest" can't sleep: duration must be a duration/,
    ],
    ['no duration', (step: StepContext) => step.sleep('rest', 'soon' as never), /not "soon"$/],
    ['eleven years', (step: StepContext) => step.sleep('rest', '4015d'), /at most ten years/],
    [
      'no time',
      (step: StepContext) => step.sleepUntil('rest', 'tomorrow'),
      /date must be a Date or an ISO 8601 time/,
    ],
    [
      'an invalid Date',
      (step: StepContext) => step.sleepUntil('rest', new Date('x')),
      /not an invalid Date$/,
    ],
  ] as const)('refuses %s, and names it', async ([, call, message], { world }) => {
    const { durably } = await world.start();
    let refusal: Error | undefined;
    const { nap } = durably.register({
      nap: job('nap', async (step) => {
        refusal = await rejectionOf(call(step));
      }),
    });
    const { id } = await nap.trigger(0);
    await untilEnded(durably, id);
    expect(refusal).toBeInstanceOf(StepError);
    expect(refusal?.message).toMatch(message);
    expect(await durably.getSteps(id)).toEqual([]);
  });

  test('ends in time though its duration makes no sense any more when its run goes on', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    let duration: number | string = HOUR_MS;
    const { nap } = durably.register({ nap: job('nap', (step) => step.sleep('rest', duration as never)) });
    const { id } = await nap.trigger(0);
    await untilStatus(durably, id, 'waiting');
    duration = -1;
    await tools.ageDue(id, HOUR_MS);
    await untilStatus(durably, id, 'completed');
  });

  test('in its slot is refused when its run is cancelled', async ({ world }) => {
    const { durably } = await world.start();
    const { nap } = durably.register({
      nap: job('nap', async (step) => {
        await Promise.all([
          step.sleep('rest', '1h').catch((error) => seen.push(error.code)),
          step.run('work', hang),
        ]);
      }),
    });
    const seen: unknown[] = [];
    const hang = () => new Promise(() => undefined);
    const { id } = await nap.trigger(0);
    await nextEvent(durably, 'step:start', id);
    await durably.cancel(id);
    await until(() => seen.length > 0);
    expect(seen).toEqual(['RUN_CANCELLED']);
  });
});
