import type { DurablyEvent } from '../../../src/core/events.ts';
import type { Durably } from '../../../src/create-durably.ts';
import { job } from '../../support/jobs.ts';
import { startRemote } from '../../support/remote.ts';
import { readAll } from '../../support/runs.ts';
import { replicaOf } from './replica.ts';

/** A migrated server, a replica of it, and instances behind either. */
export async function behindReplica() {
  const remote = await startRemote();
  const primary = remote.open({ pollingInterval: 20 });
  await primary.migrate();
  const replica = await replicaOf(remote);
  const open = () => remote.open({ fetch: replica.fetch, pollingInterval: 20 });
  return { ...remote, primary, replica, behind: open(), openBehind: open };
}

/** A run that failed after its steps were stored, which go to the given list when they are executed. */
export function flaky(executed: string[], steps = 5) {
  let isBroken = true;
  const flakyJob = job('flaky', async (step) => {
    for (let i = 0; i < steps; i++) await step.run(`step ${i}`, () => executed.push(`step ${i}`));
    if (isBroken) throw new Error('broken');
  });
  return {
    flaky: flakyJob,
    mend: () => {
      isBroken = false;
    },
  };
}

/** The run's events at the primary. */
export async function journalOf(primary: Durably, runId: string): Promise<DurablyEvent[]> {
  return await readAll(primary.subscribe(runId));
}
