import { expect } from 'vitest';
import {
  all,
  append,
  claim,
  completed,
  entry,
  failed,
  newRun,
  query,
  running,
} from '../../../store/requests.ts';
import { contract } from '../../../support/contract.ts';

const isRemote = ({ locks }: { readonly locks: string }) => locks === 'wait';

const KB = 1024;

contract(
  'a server whose answers hold 10 MB',
  (test) => {
    test('gives a claim a run whose steps failed with more than that, and then what they failed with', async ({
      world,
    }) => {
      const { store } = await world.store();
      const run = await running(store);
      const message = '"'.repeat(16 * KB);
      const data = JSON.stringify({ name: 'Error', message: 'x'.repeat(15 * KB) });
      const names = Array.from({ length: 400 }, (_, i) => `step ${i}`);
      for (let i = 0; i < names.length; i += 100) {
        const entries = names
          .slice(i, i + 100)
          .map((stepName, j) => entry({ type: 'step:fail', stepName, stepIndex: i + j, message, data }));
        expect(await append(store, run, entries, 1 + i / 100)).toBe('stored');
      }
      await store.handBack([run]);
      const [claimed] = (await claim(store, { limit: 10 })).runs;
      expect(claimed).toMatchObject({ runId: run.runId, kind: 'resume' });
      const known = await store.listKnownSteps(run.runId);
      for (const steps of [claimed?.steps, known]) {
        expect(steps?.map(({ state, name }) => [state, name])).toEqual(names.map((name) => ['failed', name]));
      }
      // What an execution reads together is bounded by these.
      expect(known.every((step) => 'outputBytes' in step && step.outputBytes > 32 * KB)).toBe(true);
      const read = await store.readStepOutputs({ runId: run.runId, names: names.slice(0, 80) });
      expect([...read.values()]).toEqual(Array.from({ length: 80 }, () => JSON.stringify([message, data])));
    });

    test('gives a list of runs with long errors, progress and labels', async ({ world }) => {
      const { store } = await world.store();
      const labels = JSON.stringify(
        Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`l${i}`, '"'.repeat(256)])),
      );
      const message = '\u001b'.repeat(16 * KB);
      const runs = Array.from({ length: 100 }, () =>
        newRun({ labels, payload: JSON.stringify('"'.repeat(3 * KB)) }),
      );
      await store.enqueue(runs);
      const { runs: taken } = await claim(store, { limit: 100 });
      await Promise.all(taken.map((run) => append(store, run, [failed(message)])));
      const listed = await all((await store.listRuns(query())).portions);
      expect(listed.map(({ id }) => id)).toEqual(runs.map(({ id }) => id).reverse());
      for (const run of listed) {
        expect(run).toMatchObject({ status: 'failed', error: message, labels: JSON.parse(labels) });
        expect(run.errorDetail?.text).toBe('{"name":"Error"}');
      }
    });

    test('gives a list of all runs whose texts are short in one request', async ({ world }) => {
      const { store } = await world.store();
      await store.enqueue(Array.from({ length: 100 }, () => newRun({ labels: '{"a":"b"}' })));
      const [first] = (await claim(store, { limit: 1 })).runs;
      if (first !== undefined) await append(store, first, [failed('x'.repeat(4 * KB))]);
      const { portions } = await store.listRuns(query());
      const lengths = [];
      for await (const portion of portions) lengths.push(portion.length);
      expect(lengths).toEqual([100]);
    });

    test('gives a batch the runs that its keys have already', async ({ world }) => {
      const { store } = await world.store();
      const given = Array.from({ length: 700 }, (_, i) => ({
        payload: JSON.stringify(`${i} ${'x'.repeat(8_100)}`),
        labels: '{"a":"b"}',
        idempotencyKey: `key ${i}`,
      }));
      for (let i = 0; i < 700; i += 100) await store.enqueue(given.slice(i, i + 100).map(newRun));
      for (let i = 0; i < 700; i += 100) {
        const { runs } = await claim(store, { limit: 100 });
        await Promise.all(
          runs.map((run) => append(store, run, [completed(JSON.stringify('y'.repeat(8_000)))])),
        );
      }
      const found = await store.enqueue(given.map(newRun));
      expect(found.map(({ disposition, toRun }) => [disposition, toRun().payload.text])).toEqual(
        given.map(({ payload }) => ['idempotent', payload]),
      );
    });

    test('gives a claim fewer runs if all together are too large', async ({ world }) => {
      const { store } = await world.store();
      const pluginData = JSON.stringify({ plugin: 'x'.repeat(2_900 * KB) });
      const runs = Array.from({ length: 5 }, () => newRun({ pluginData }));
      for (const run of runs) await store.enqueue([run]);
      for (const { id } of runs.slice(0, 2)) {
        const claimed = await claim(store, { limit: 10 });
        expect([claimed.runs.map(({ runId }) => runId), claimed.more]).toEqual([[id], true]);
      }
    });
  },
  isRemote,
);
