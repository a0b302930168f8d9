import { expect, test } from 'vitest';
import { echo } from '../support/jobs.ts';
import { startRemote } from '../support/remote.ts';
import { journalTypes, recordEvents } from '../support/runs.ts';

/** Requests of a call: a list, and the change. */
test.each([1, 2])(
  'a command for many runs takes effect once, and counts each run, if answer %i is lost',
  async (place) => {
    const { open, server } = await startRemote();
    const durably = open();
    await durably.migrate();
    const runs = await durably.register({ echo }).echo.batchTrigger([1, 2, 3]);
    const events = recordEvents(durably, ['run:cancel', 'run:retry', 'run:delete', 'run:reschedule']);
    const failing = async <T>(call: () => Promise<T>, at = place): Promise<T> => {
      const nth = server.requests + at;
      server.fault = (number) => (number === nth ? { kind: 'drop', when: 'after' } : { kind: 'none' });
      return await call();
    };
    for (const { id } of runs) await failing(() => durably.reschedule(id, { delay: '1h' }), 1);
    expect(events.splice(0)).toHaveLength(3);
    for (const command of [durably.cancelRuns, durably.retryRuns, durably.cancelRuns, durably.deleteRuns]) {
      expect(await failing(() => command({ jobName: 'echo' }))).toEqual({ count: 3, more: false });
      expect(events.splice(0)).toHaveLength(3);
    }
    expect(await durably.getRuns()).toEqual([]);
    for (const { id } of runs) {
      const types = (await journalTypes(durably, id)).filter((type) => type !== 'run:reschedule');
      expect(types.at(-1)).toBe('run:delete');
      expect(types.filter((type) => type === 'run:delete')).toHaveLength(1);
    }
  },
);
