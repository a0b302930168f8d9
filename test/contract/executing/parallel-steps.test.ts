import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { idle } from '../../support/idle.ts';
import { job } from '../../support/jobs.ts';
import {
  journalTypes,
  nextEvent,
  recordEvents,
  rejectionOf,
  untilEnded,
  untilStatus,
} from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';

contract('parallel steps', (test) => {
  test('run at once and are stored separately', async ({ world }) => {
    const { durably } = await world.start();
    const gates = [deferred(), deferred(), deferred()];
    const { fan } = durably.register({
      fan: job('fan', (step) =>
        Promise.all(
          gates.map((gate, i) =>
            step.run(`branch ${i}`, async () => {
              await gate.promise;
              return i;
            }),
          ),
        ),
      ),
    });
    const run = await fan.trigger(0);
    for (const i of [2, 0]) {
      const stored = nextEvent(durably, 'step:complete');
      gates[i]?.resolve();
      expect((await stored).stepIndex).toBe(i);
    }
    expect((await durably.getSteps(run.id)).map(({ name }) => name)).toEqual(['branch 0', 'branch 2']);
    expect((await durably.getRun(run.id))?.stepCount).toBe(2);
    gates[1]?.resolve();
    expect((await untilStatus(durably, run.id, 'completed')).output).toEqual([0, 1, 2]);
    expect((await durably.getSteps(run.id)).map(({ index }) => index)).toEqual([0, 1, 2]);
  });

  test('write log lines under their own names', async ({ world }) => {
    const { durably } = await world.start();
    const { fan } = durably.register({
      fan: job('fan', async (step) => {
        step.log.info('before');
        await Promise.all(
          ['a', 'b', 'c'].map((name) =>
            step.run(name, async () => {
              step.log.info(`${name} starts`);
              await idle();
              step.log.warn(`${name} goes on`);
            }),
          ),
        );
        step.log.error('after');
      }),
    });
    const { id } = await fan.triggerAndWait(0);
    const lines = await durably.getLogs({ runId: id });
    expect(lines).toHaveLength(8);
    for (const { stepName, message } of lines)
      expect(stepName).toBe(/^[abc] /.test(message) ? message[0] : null);
  });

  test('are aborted when one of them fails the run, and their later writes are refused', async ({
    world,
  }) => {
    const { durably } = await world.start();
    const late = deferred<Error>();
    const gate = deferred();
    let wasAborted = false;
    const { fan } = durably.register({
      fan: job('fan', (step) => {
        const slow = step.run('slow', async (signal) => {
          signal.addEventListener('abort', () => {
            wasAborted = true;
          });
          await gate.promise;
          return 'too late';
        });
        void rejectionOf(slow).then(late.resolve);
        return Promise.all([slow, step.run('fails', () => Promise.reject(new Error('broken')))]);
      }),
    });
    const run = await fan.trigger(0);
    const failed = await untilStatus(durably, run.id, 'failed');
    expect(failed.error).toBe('broken');
    await until(() => wasAborted);
    gate.resolve();
    expect((await late.promise).message).toContain('has ended');
    expect((await durably.getSteps(run.id)).map(({ name }) => name)).toEqual(['fails']);
    expect((await journalTypes(durably, run.id)).at(-1)).toBe('run:fail');
  });

  test('fail the run with the step whose error was thrown, even if others fail at the same time', async ({
    world,
  }) => {
    const { durably } = await world.start();
    const { fan } = durably.register({
      fan: job('fan', (step, names) =>
        Promise.all([
          // While this step is being stored the others wait, and are then stored together.
          step.run('fine', () => 1),
          ...(names as string[]).map((name) =>
            step.run(name, () => Promise.reject(new Error(`${name} broke`))),
          ),
        ]),
      ),
    });
    const ended = nextEvent(durably, 'run:fail');
    await fan.trigger(['a', 'b', 'c']);
    expect(await ended).toMatchObject({ error: 'a broke', failedStepName: 'a' });
  });

  test('do not delay the run or end the process if the job did not await them', async ({ world }) => {
    const { durably } = await world.start();
    const gate = deferred();
    const signals: AbortSignal[] = [];
    const { hasty } = durably.register({
      hasty: job('hasty', (step) => {
        void step.run('left behind', async (signal) => {
          signals.push(signal);
          await gate.promise;
          throw new Error('nobody listens');
        });
        return 'done';
      }),
    });
    const events = recordEvents(durably);
    const { id } = await hasty.triggerAndWait(0);
    expect(signals[0]?.aborted).toBe(true);
    gate.resolve();
    await idle();
    expect(await durably.getSteps(id)).toEqual([]);
    expect(events.at(-1)?.type).toBe('run:complete');
    expect((await journalTypes(durably, id)).at(-1)).toBe('run:complete');
  });

  test('do not abort the signal of a run that ends normally', async ({ world }) => {
    const { durably } = await world.start();
    const signals: AbortSignal[] = [];
    const { orderly } = durably.register({
      orderly: job('orderly', async (step) => {
        await step.run('one', (signal) => void signals.push(signal));
      }),
    });
    await orderly.triggerAndWait(0);
    await idle();
    expect(signals[0]?.aborted).toBe(false);
  });

  test('are replayed by a later attempt if they finished, and executed again if not', async ({ world }) => {
    const { durably } = await world.start();
    const calls: string[] = [];
    let isBroken = true;
    const { fan } = durably.register({
      fan: job('fan', async (step) => {
        const settled = await Promise.allSettled(
          ['a', 'b', 'c'].map((name) =>
            step.run(name, () => {
              calls.push(name);
              if (name === 'b' && isBroken) throw new Error('b broke');
              return name;
            }),
          ),
        );
        for (const one of settled) if (one.status === 'rejected') throw one.reason;
        return settled.map((one) => one.status === 'fulfilled' && one.value);
      }),
    });
    const run = await fan.trigger(0);
    await untilStatus(durably, run.id, 'failed');
    isBroken = false;
    const ended = untilEnded(durably, run.id);
    await durably.retry(run.id);
    expect(await ended).toMatchObject({ type: 'run:complete', output: ['a', 'b', 'c'] });
    expect(calls).toEqual(['a', 'b', 'c', 'b']);
  });
});
