import type { Dialect } from 'kysely';
import { expect, onTestFinished } from 'vitest';
import type { Durably } from '../../../../src/create-durably.ts';
import { contract } from '../../../support/contract.ts';
import { echo, job } from '../../../support/jobs.ts';
import { LoopTurns, mostInOneTurn, recordReads } from '../../../support/loop-turns.ts';
import { readAll, untilEnded, untilStatus } from '../../../support/runs.ts';
import type { World } from '../../../support/world.ts';

const KB = 1024;
const MB = 1024 * KB;
/** One portion, and a page of small rows that may be read in the same turn. */
const MOST_PER_TURN = 2.5 * MB;

/** An instance, with its reads recorded by turn of the event loop. */
async function started(world: World) {
  let reads: ReturnType<typeof recordReads>['reads'] = [];
  const turns = new LoopTurns();
  onTestFinished(() => turns.stop());
  const wrap = (dialect: Dialect) => {
    const recording = recordReads(dialect, turns);
    reads = recording.reads;
    return recording.dialect;
  };
  const { durably, statements } = await world.start({ wrap });
  return { durably, statements, turns, reads };
}

/** A job that stores its steps' results in the first attempt, and reads them in any order in the second. */
function resumed(options: {
  readonly results: number;
  readonly bytes: number;
  readonly order?: (names: string[]) => string[];
}) {
  let isFirst = true;
  return job('resumed', async (step) => {
    const names = Array.from({ length: options.results }, (_, i) => `step ${i}`);
    const text = 'x'.repeat(options.bytes);
    if (isFirst) {
      isFirst = false;
      await Promise.all(names.map((name) => step.run(name, () => text)));
      throw new Error('once');
    }
    for (const name of options.order?.(names) ?? names) await step.run(name, () => 'again');
  });
}

async function untilFailed(durably: Durably, definition: ReturnType<typeof resumed>): Promise<string> {
  const { task } = durably.register({ task: definition });
  const { id } = await task.trigger(0);
  await untilStatus(durably, id, 'failed');
  return id;
}

contract(
  'other tasks of the event loop',
  (test) => {
    test('run between the portions of a resumed run', async ({ world }) => {
      const { durably, reads } = await started(world);
      const id = await untilFailed(durably, resumed({ results: 24, bytes: 500 * KB }));
      reads.length = 0;
      const ended = untilEnded(durably, id);
      await durably.retry(id);
      expect((await ended).type).toBe('run:complete');
      expect(reads.reduce((sum, { chars }) => sum + chars, 0)).toBeGreaterThan(11 * MB);
      expect(mostInOneTurn(reads)).toBeLessThan(MOST_PER_TURN);
    });

    test('run while thousands of tiny results are replayed', async ({ world }) => {
      const { durably, turns } = await started(world);
      const id = await untilFailed(durably, resumed({ results: 2_000, bytes: 1 }));
      const ended = untilEnded(durably, id);
      const before = turns.count;
      await durably.retry(id);
      await ended;
      expect(turns.count - before).toBeGreaterThan(2_000 / 100);
    });

    test('run between the portions of concurrent lists', async ({ world }) => {
      const { durably, reads } = await started(world);
      const { logs } = durably.register({
        echo,
        logs: job('logs', async (step) => {
          for (let i = 0; i < 200; i++) step.log.info('line', 'x'.repeat(30 * KB));
        }),
      });
      const { id: runId } = await logs.trigger(0);
      await untilStatus(durably, runId, 'completed');
      await durably.stop();
      await durably.getJob('echo')?.batchTrigger(Array.from({ length: 100 }, () => 'x'.repeat(60 * KB)));
      const lists = {
        runs: () => durably.getRuns({ limit: 100 }),
        logs: () => durably.getLogs({ runId, limit: 1_000 }),
        events: () => readAll(durably.subscribe(runId)),
      };
      for (const [name, list] of Object.entries(lists)) {
        reads.length = 0;
        await Promise.all([list(), list(), list()]);
        expect(reads.reduce((sum, { chars }) => sum + chars, 0)).toBeGreaterThan(15 * MB);
        expect(mostInOneTurn(reads), name).toBeLessThan(MOST_PER_TURN);
      }
    });
  },
  ({ locks }) => locks === 'refuse',
);

contract('a resumed run', (test) => {
  test.for<[string, (names: string[]) => string[]]>([
    ['in the stored order', (names) => names],
    ['in the reverse order', (names) => [...names].reverse()],
    ['from the middle', (names) => [...names.slice(30), ...names.slice(0, 30)]],
    ['in the order of several branches', (names) => names.map((_, i) => names[i ^ 3] ?? '')],
  ])('reads its results in portions when it asks for them %s', async ([, order], { world }) => {
    const { durably, statements } = await world.start();
    const id = await untilFailed(durably, resumed({ results: 60, bytes: 100 * KB, order }));
    const before = statements.length;
    const ended = untilEnded(durably, id);
    await durably.retry(id);
    expect((await ended).type).toBe('run:complete');
    const reads = statements.slice(before).filter(({ sql }) => sql.includes('durably_steps s'));
    // Ten results make a portion.
    expect(reads.length).toBeLessThanOrEqual(10);
  });
});
