import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'vitest';
import { contract } from '../../../support/contract.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { idle } from '../../../support/idle.ts';
import { job } from '../../../support/jobs.ts';
import { PATIENT } from './patient.ts';

/** By then the run was put to wait. */
const TURNS = 12;

contract('a run whose signal is there when it is put to wait', (test) => {
  test('goes on at once, whenever its telemetry leaves by itself meanwhile', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ ...PATIENT, clock });
    const sender = await world.idle();
    const { asks } = durably.register({
      asks: job('asks', async (step, turns) => {
        // The signals that are there now are read with this one.
        await step.waitForSignal('first');
        await sender.durably.signal(step.runId, 'go', 'went', { signalId: 'once' });
        const signal = step.waitForSignal('go');
        for (let turn = 0; turn < Number(turns); turn++) await nextTurn();
        // As a job that keeps the processor busy for as long as telemetry waits.
        clock.advance(50);
        return `${await signal}`;
      }),
    });
    for (let turns = 0; turns < TURNS; turns++) {
      const { id } = await asks.trigger(turns);
      await durably.signal(id, 'first');
      await idle();
      const { status, output } = (await durably.getRun(id)) ?? {};
      expect([turns, status, output]).toEqual([turns, 'completed', 'went']);
    }
  });
});

contract('a worker that is started again', (test) => {
  test('goes on at once with what became due meanwhile', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ clock });
    const { sleeps } = durably.register({ sleeps: job('sleeps', (step) => step.sleep('an hour', '1h')) });
    const { id } = await sleeps.trigger(0);
    await idle();
    expect((await durably.getRun(id))?.status).toBe('waiting');
    await durably.stop();
    await (await world.tools()).ageDue(id, 3_600_000);
    durably.start();
    await idle();
    expect((await durably.getRun(id))?.status).toBe('completed');
  });
});
