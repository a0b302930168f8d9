import { expect } from 'vitest';
import { ConflictError, NotFoundError, type StepContext, ValidationError } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { job } from '../../../support/jobs.ts';
import { journalTypes, rejectionOf, untilStatus } from '../../../support/runs.ts';
import { PATIENT } from './patient.ts';

function asksTwice(step: StepContext) {
  return Promise.all([1, 2].map((n) => step.waitForSignal(`wait ${n}`, { signal: 'answer' })));
}

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
    for (let wave = 0; wave < 10; wave++) {
      const sending = Array.from({ length: 100 }, (_, i) => durably.signal(id, 'go', 100 * wave + i));
      for (const { disposition } of await Promise.all(sending)) expect(disposition).toBe('accepted');
    }
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
