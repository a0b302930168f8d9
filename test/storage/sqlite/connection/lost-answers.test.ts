import type { CompiledQuery } from 'kysely';
import { expect } from 'vitest';
import { contract } from '../../../support/contract.ts';
import { loseAnswers } from '../../../support/dialects/intercepted-dialect.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { echo, job } from '../../../support/jobs.ts';
import { journalTypes, recordEvents, untilStatus } from '../../../support/runs.ts';
import { deferred, until } from '../../../support/until.ts';
import type { InstanceOptions } from '../../../support/world.ts';

/** Loses the answer to the first statement that contains these words, once it is armed. */
function losing(words: string) {
  let isDue = false;
  let lost = 0;
  const isLost = ({ sql }: CompiledQuery) => {
    if (!isDue || !sql.includes(words)) return false;
    isDue = false;
    lost++;
    return true;
  };
  const options: InstanceOptions = { wrap: (dialect) => loseAnswers(dialect, isLost) };
  return {
    options,
    loseNext: () => {
      isDue = true;
    },
    get lost() {
      return lost;
    },
  };
}

contract(
  'an answer lost by the network',
  (test) => {
    test('to a trigger: the run is stored once, with one event', async ({ world }) => {
      const network = losing('insert into durably_runs');
      const { durably } = await world.idle(network.options);
      const events = recordEvents(durably, ['run:trigger']);
      network.loseNext();
      const run = await durably.register({ echo }).echo.trigger('once');
      expect(network.lost).toBe(1);
      expect((await durably.getRuns()).map(({ id }) => id)).toEqual([run.id]);
      expect(await journalTypes(durably, run.id)).toEqual(['run:trigger']);
      expect(events).toHaveLength(1);
    });

    test('to a trigger, and the run ends before the repetition: the answer shows the ended run', async ({
      world,
    }) => {
      const worker = await world.start();
      worker.durably.register({ echo });
      const network = losing('insert into durably_runs');
      const clock = new FakeClock();
      const { durably } = await world.idle({ ...network.options, clock });
      const handle = durably.register({ echo }).echo;
      network.loseNext();
      const triggered = handle.trigger('once');
      await until(async () => (await worker.durably.getRuns({ status: 'completed' })).length === 1);
      clock.advance(1_000);
      const run = await triggered;
      expect(network.lost).toBe(1);
      expect(run).toMatchObject({ status: 'completed', output: 'once' });
      expect(await durably.getRuns()).toEqual([run]);
    });

    test('to a claim: the claimed runs are executed, and no others', async ({ world }) => {
      const network = losing('fence = fence + 1');
      const { durably } = await world.idle(network.options);
      const gate = deferred();
      const { task } = durably.register({ task: job('task', () => gate.promise) });
      const first = await task.trigger('first');
      const second = await task.trigger('second');
      network.loseNext();
      durably.start();
      await untilStatus(durably, first.id, 'running');
      await until(() => network.lost === 1);
      await durably.stop({ timeoutMs: 0 });
      expect(await durably.getRun(first.id)).toMatchObject({ status: 'pending', attempt: 1 });
      expect(await durably.getRun(second.id)).toMatchObject({ status: 'pending', attempt: 0 });
    });

    test('to a claim: runs that another worker executes are left alone', async ({ world }) => {
      const calls: string[] = [];
      const gate = deferred();
      const define = (where: string) =>
        job('task', async (_, input) => {
          calls.push(`${where} ${input}`);
          await gate.promise;
        });
      const other = await world.start();
      const theirs = await other.durably.register({ task: define('other') }).task.trigger('theirs');
      await until(() => calls.length === 1);
      const network = losing('fence = fence + 1');
      const { durably } = await world.idle({ ...network.options, maxConcurrentRuns: 5 });
      const ours = await durably.register({ task: define('this') }).task.trigger('ours');
      network.loseNext();
      durably.start();
      await until(() => calls.length >= 2);
      gate.resolve();
      await untilStatus(durably, theirs.id, 'completed');
      await untilStatus(durably, ours.id, 'completed');
      expect(network.lost).toBe(1);
      expect(calls).toEqual(['other theirs', 'this ours']);
    });

    test.for([
      { what: "a step's result", words: 'step:complete' },
      { what: "the run's end", words: 'run:complete' },
    ])('to the append of $what: it is stored once, and the run goes on', async ({ words }, { world }) => {
      let isDue = true;
      let lost = 0;
      const isLost = ({ sql, parameters }: CompiledQuery) => {
        const isIt =
          isDue && /insert into durably_(appends|endings)/.test(sql) && `${parameters}`.includes(words);
        if (isIt) {
          isDue = false;
          lost++;
        }
        return isIt;
      };
      const { durably } = await world.start({ wrap: (dialect) => loseAnswers(dialect, isLost) });
      const errors = recordEvents(durably, ['worker:error']);
      const { task } = durably.register({
        task: job('task', async (step) => {
          step.log.info('before');
          await step.run('one', () => 1);
          await step.run('two', () => 2);
          return 'done';
        }),
      });
      const { id } = await task.trigger(0);
      expect(await untilStatus(durably, id, 'completed')).toMatchObject({
        attempt: 1,
        stepCount: 2,
        output: 'done',
      });
      await durably.stop();
      expect(lost).toBe(1);
      expect(errors).toEqual([]);
      expect(await journalTypes(durably, id)).toEqual([
        'run:trigger',
        'run:start',
        'log:write',
        'step:start',
        'step:complete',
        'step:start',
        'step:complete',
        'run:complete',
      ]);
    });

    test.for([
      { command: 'cancel', words: "status = 'cancelled'", left: 'cancelled' },
      { command: 'retry', words: "set status = 'pending'", left: 'pending' },
      { command: 'delete', words: 'delete from durably_runs', left: undefined },
    ] as const)(
      'to a $command: the caller is told that it is done',
      async ({ command, words, left }, { world }) => {
        const network = losing(words);
        const { durably } = await world.idle(network.options);
        const { id } = await durably.register({ echo }).echo.trigger('x');
        if (command !== 'cancel') await durably.cancel(id);
        network.loseNext();
        if (command === 'delete') await durably.deleteRun(id);
        else await durably[command](id);
        expect(network.lost).toBe(1);
        expect((await durably.getRun(id))?.status).toBe(left);
        const types = await journalTypes(durably, id);
        expect(types.filter((type) => type === `run:${command}`)).toHaveLength(1);
      },
    );
  },
  ({ locks }) => locks === 'wait',
);
