import { AsyncLocalStorage } from 'node:async_hooks';
import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { idle } from '../../support/idle.ts';
import { job } from '../../support/jobs.ts';
import { untilStatus } from '../../support/runs.ts';

contract('the context of a job', (test) => {
  test('is its own, not the one of the caller that triggered it, so that a child has its own log lines', async ({
    world,
  }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 2 });
    const { child } = durably.register({ child: job('child', (step) => step.log.info('outside of steps')) });
    const { parent } = durably.register({
      parent: job('parent', (step) => step.run('of the parent', () => child.triggerAndWait(0))),
    });
    const { output } = await parent.triggerAndWait(0);
    const [line] = await durably.getLogs({ runId: output.id });
    expect(line).toMatchObject({ stepName: null, message: 'outside of steps' });
    // The context is not kept for runs that are triggered later, either.
    const later = await child.trigger(0);
    await untilStatus(durably, later.id, 'completed');
    expect(await durably.getLogs({ runId: later.id })).toMatchObject([{ stepName: null }]);
  });

  test("does not contain the caller's own async context", async ({ world }) => {
    const { durably } = await world.start();
    const tenant = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const { look } = durably.register({ look: job('look', () => void seen.push(tenant.getStore())) });
    // The worker is idle, so the trigger wakes it.
    await idle();
    await tenant.run('a tenant', () => look.triggerAndWait(0));
    expect(seen).toEqual([undefined]);
  });
});
