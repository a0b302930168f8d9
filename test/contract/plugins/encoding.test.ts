import { expect } from 'vitest';
import { z } from 'zod';
import type { DurablyPlugin } from '../../../src/index.ts';
import { defineJob } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { readAll, rejectionOf, untilStatus } from '../../support/runs.ts';
import { unreadable } from '../../support/unreadable.ts';

/** Uses the last key for what it encodes, and knows all of them. */
function keyed(keys: readonly string[]): DurablyPlugin {
  const { encode, decode } = unreadable();
  return {
    name: 'keyed',
    encode: async (text) => `${keys.at(-1)}:${await encode?.(text)}`,
    async decode(encoded) {
      const [key = '', content = ''] = encoded.split(':');
      if (!keys.includes(key)) throw new Error(`no key ${key}`);
      return (await decode?.(content)) ?? '';
    },
  };
}

contract(
  'payloads that plugins encode',
  (test) => {
    test('are shown as [encrypted] in the error of a caller who waits', async ({ world }) => {
      const { durably } = await world.start({ use: [keyed(['k1'])] });
      const task = job('task', () => Promise.reject(new Error('secret error')));
      durably.register({ task });
      const { id } = await durably.trigger({ jobName: 'task', input: 0, idempotencyKey: 'k' });
      await untilStatus(durably, id, 'failed');
      const { durably: other } = await world.idle();
      const { task: handle } = other.register({ task });
      const error = await rejectionOf(handle.triggerAndWait(0, { idempotencyKey: 'k' }));
      expect(error).toMatchObject({ name: 'RunEndedError', message: '[encrypted]' });
    });

    test('are shown as [encrypted] where they cannot be decoded', async ({ world }) => {
      const { durably } = await world.start({ use: [keyed(['k1'])] });
      const task = job('task', async (step) => {
        step.progress(1, 2, 'secret progress');
        step.log.info('secret line', { secret: 'data' });
        step.emit('news', 'secret event');
        await step.run('work', () => 'secret result');
        await step.waitForSignal('go');
        throw new Error('secret error');
      });
      durably.register({ task, echo });
      const { id } = await durably.trigger({ jobName: 'task', input: 'secret input' });
      await durably.signal(id, 'go', 'secret signal');
      await untilStatus(durably, id, 'failed');
      await durably.schedule({ id: 's', jobName: 'echo', input: 'secret schedule', every: '1h' });
      expect(JSON.stringify(await readAll(durably.subscribe(id)))).toContain('secret progress');
      for (const use of [[keyed(['k2'])], []]) {
        const { durably: other } = await world.idle({ use });
        other.register({ task });
        const [run] = await other.getRuns({ jobName: 'task' });
        expect(run).toMatchObject({
          ...{ id, payload: '[encrypted]', output: null, error: '[encrypted]', errorDetail: null },
          progress: { current: 1, total: 2, message: '[encrypted]' },
        });
        expect(await other.getRun(id)).toEqual(run);
        expect(await other.getSteps(id)).toMatchObject([
          { name: 'work', output: '[encrypted]' },
          { name: 'go', output: '[encrypted]' },
        ]);
        expect(await other.getLogs({ runId: id })).toMatchObject([
          { message: '[encrypted]', data: '[encrypted]' },
          // Outside of steps, the job has run twice.
          { message: '[encrypted]', data: '[encrypted]' },
        ]);
        expect(await other.getSchedules()).toMatchObject([{ input: '[encrypted]' }]);
        const pieces = [
          ...(await readPieces((await other.asJson.run(id)) ?? [])),
          ...(await readPieces((await other.asJson.runs()).pieces)),
          ...(await readPieces(await other.asJson.steps(id))),
          ...(await readPieces(await other.asJson.logs({ runId: id }))),
        ];
        const events = await readAll(other.subscribe(id));
        expect(events.filter(({ type }) => type !== 'run:trigger').length).toBeGreaterThan(8);
        for (const text of [...pieces, JSON.stringify(events)]) {
          expect(text).not.toContain('secret');
          expect(text).not.toContain('$enc');
          expect(text).not.toContain('u0024enc');
        }
      }
    });

    test('fail a run where its input cannot be decoded, without calling its job', async ({ world }) => {
      let calls = 0;
      const counted = job('counted', () => ++calls);
      const { durably: first } = await world.idle({ use: [keyed(['k1'])] });
      const { id } = await first.register({ counted }).counted.trigger('in');
      for (const use of [[keyed(['k2'])], []]) {
        const { durably: other } = await world.idle({ use });
        other.register({ counted });
        await other.processUntilIdle();
        const run = await other.getRun(id);
        expect(run).toMatchObject({ status: 'failed', failedStepName: 'unknown' });
        expect(calls).toBe(0);
        expect(run?.error).toContain(use.length > 0 ? 'no key k1' : 'not among the plugins of this process');
        expect(run?.errorDetail).toMatchObject({ name: 'UnreadableError', code: 'UNREADABLE' });
        await other.retry(id);
      }
      await first.processUntilIdle();
      expect(await first.getRun(id)).toMatchObject({ status: 'completed', output: 1 });
    });

    test('fail a run whose step cannot be replayed, whatever the job catches', async ({ world }) => {
      const calls: string[] = [];
      const careful = job('careful', async (step) => {
        const paid = await step
          .run('pay', () => {
            calls.push('pay');
            return 'paid';
          })
          .catch(() => 'not paid');
        calls.push(paid);
        return await step.waitForSignal('go');
      });
      const { durably: first } = await world.idle({ use: [keyed(['k2', 'k1'])] });
      first.register({ careful });
      const { durably: other } = await world.idle({ use: [keyed(['k2'])] });
      // Its input is readable everywhere, and the result of its step is not.
      const { id } = await other.register({ careful }).careful.trigger(0);
      await first.processUntilIdle();
      await first.signal(id, 'go', 'on');
      calls.length = 0;
      await other.processUntilIdle();
      expect((await first.getRun(id))?.status).toBe('failed');
      expect(calls).toEqual([]);
      await first.retry(id);
      await first.processUntilIdle();
      expect(await first.getRun(id)).toMatchObject({ status: 'completed', output: 'on' });
      expect(calls).toEqual(['paid']);
    });

    test('stay readable when keys rotate and plugins come and go', async ({ world }) => {
      const { durably: plain } = await world.idle();
      const old = await plain.register({ echo }).echo.trigger('plain');
      const { durably: first } = await world.idle({ use: [keyed(['k1'])] });
      const one = await first.register({ echo }).echo.trigger('one');
      const { durably: both } = await world.idle({ use: [unreadable(), keyed(['k1', 'k2'])] });
      const two = await both.register({ echo }).echo.trigger('two');
      const { encode: _, ...onlyReads } = unreadable();
      const { durably: turned } = await world.idle({ use: [keyed(['k1', 'k2']), onlyReads] });
      turned.register({ echo });
      for (const [run, payload] of [
        [old, 'plain'],
        [one, 'one'],
        [two, 'two'],
      ] as const) {
        expect((await turned.getRun(run.id))?.payload).toBe(payload);
      }
      await turned.processUntilIdle();
      expect((await both.getRuns()).map(({ output }) => output)).toEqual(['two', 'one', 'plain']);
    });

    test('are compared as they were given', async ({ world }) => {
      const { durably } = await world.idle({ use: [keyed(['k1'])] });
      const { echo: handle } = durably.register({ echo });
      const keys = { idempotencyKey: 'k', idempotencyKeyReuse: 'refuse' } as const;
      const { id } = await handle.trigger({ a: 1, b: 2 }, keys);
      expect(await handle.trigger({ b: 2, a: 1 }, keys)).toMatchObject({ id, payload: { a: 1, b: 2 } });
      expect(await rejectionOf(handle.trigger({ a: 2 }, keys))).toMatchObject({
        code: 'IDEMPOTENCY_KEY_REUSED',
      });
      expect(await durably.signal(id, 's', { x: 1 }, { signalId: 'i' })).toEqual({ disposition: 'accepted' });
      expect(await durably.signal(id, 's', { x: 1 }, { signalId: 'i' })).toEqual({
        disposition: 'duplicate',
      });
      for (const [name, payload] of [
        ['s', { x: 2 }],
        ['t', { x: 1 }],
      ] as const) {
        const sent = durably.signal(id, name, payload, { signalId: 'i' });
        expect((await rejectionOf(sent)).message).toContain('Another signal was sent');
      }
      const schedule = { id: 'hourly', jobName: 'echo', input: { a: 1 }, every: '1h' } as const;
      const { updatedAt } = await durably.schedule(schedule);
      const tools = await world.tools();
      await tools.ageSchedules(1000);
      expect((await durably.schedule(schedule)).updatedAt).toBe(updatedAt);
      expect(await durably.schedule({ ...schedule, input: { a: 2 } })).toMatchObject({ input: { a: 2 } });
    });

    test('are not compared where they cannot be decoded, and the caller hears why', async ({ world }) => {
      const { durably: first } = await world.idle({ use: [keyed(['k1'])] });
      const { id } = await first.register({ echo }).echo.trigger({ a: 1 }, { idempotencyKey: 'k' });
      await first.signal(id, 's', { x: 1 }, { signalId: 'i' });
      const keys = { idempotencyKey: 'k', idempotencyKeyReuse: 'refuse' } as const;
      for (const use of [[keyed(['k2'])], []]) {
        const { durably } = await world.idle({ use });
        const { echo: handle } = durably.register({ echo });
        for (const call of [
          () => handle.trigger({ a: 1 }, keys),
          () => handle.triggerAndWait({ a: 1 }, { ...keys, timeout: 1 }),
          // What is shown in its place is no input that anybody gave.
          () => handle.trigger('[encrypted]', keys),
          () => durably.signal(id, 's', { x: 1 }, { signalId: 'i' }),
        ]) {
          expect(await rejectionOf(call())).toMatchObject({ code: 'UNREADABLE' });
        }
        expect(await durably.getRuns()).toHaveLength(1);
      }
    });

    test.for([
      ['no JSON', 'no JSON'],
      ['the beginning of an encoded value', '{"\\u0024enc":["keyed"'],
      ['an encoded value without its parts', '{"\\u0024enc":[1,2]}'],
      ['the beginning of a redacted value', '{"\\u0024redacted":"text"'],
      ['more than a redacted value', '{"\\u0024redacted":"text","more":1}'],
    ] as const)('are unreadable if they are decoded to %s', async ([, bad], { world }) => {
      let isBad = false;
      const { encode, decode } = unreadable();
      const broken: DurablyPlugin = {
        name: 'broken',
        encode: (text) => encode?.(text) ?? '',
        decode: async (encoded) => {
          const text = (await decode?.(encoded)) ?? '';
          return isBad && text.includes('secret') ? bad : text;
        },
      };
      const { durably } = await world.idle({ use: [broken] });
      const errors: unknown[] = [];
      const task = job('task', async (step, input) => {
        await step.run('work', () => input).catch((error: unknown) => errors.push(error));
        await step
          .run('fails', () => Promise.reject(new Error('secret')))
          .catch((error: Error) => errors.push(error.message));
        await step.waitForSignal('go');
        return input;
      });
      const { task: handle } = durably.register({ task });
      const { id } = await handle.trigger({ n: 'plain' });
      await durably.processUntilIdle();
      const { id: other } = await handle.trigger({ secret: 1 });
      await durably.signal(id, 'go', 1);
      expect(errors).toEqual(['secret']);
      errors.length = 0;
      isBad = true;
      await durably.processUntilIdle();
      expect(errors).toEqual([]);
      for (const runId of [id, other]) {
        expect(await durably.getRun(runId)).toMatchObject({
          status: 'failed',
          errorDetail: { name: 'UnreadableError' },
        });
      }
      expect((await durably.getRun(other))?.payload).toBe('[encrypted]');
      const text = (await readPieces((await durably.asJson.run(other)) ?? [])).join('');
      expect(JSON.parse(text)).toMatchObject({ payload: '[encrypted]' });
      expect(JSON.stringify(await readAll(durably.subscribe(other)))).toContain('[encrypted]');
      expect(await rejectionOf(durably.retrigger(other))).toMatchObject({ code: 'UNREADABLE' });
    });

    test('are not searched, and ids, keys and labels are', async ({ world }) => {
      const { durably } = await world.idle({ use: [keyed(['k1'])] });
      const { echo: handle } = durably.register({ echo });
      await handle.trigger('needle', { labels: { team: 'hay' } });
      // The stored text contains both.
      for (const q of ['needle', 'k1', 'keyed', 'enc']) expect(await durably.getRuns({ q })).toEqual([]);
      expect(await durably.getRuns({ q: 'hay' })).toHaveLength(1);
    });

    test('are copied to the runs that other runs make', async ({ world }) => {
      const { durably } = await world.start({ use: [keyed(['k1'])] });
      const parent = defineJob({
        name: 'parent',
        input: z.unknown(),
        run: async (step, payload) => {
          const own = await step.run('own', () => ['own', payload]);
          const asked = await step.invoke('ask', 'echo', own);
          const failed = await step.invoke('fail', 'fails', 'why').catch((error: Error) => error.message);
          return [asked, failed];
        },
      });
      const fails = job('fails', (_step, payload) => Promise.reject(new Error(String(payload))));
      durably.register({ parent, echo, fails });
      const { id } = await durably.trigger({ jobName: 'parent', input: 'in' });
      const run = await untilStatus(durably, id, 'completed');
      expect(run.output).toEqual([['own', 'in'], expect.stringMatching(/^Run run_\w+ failed: why$/)]);
      const forked = await durably.fork(id, { from: 'ask' });
      expect((await untilStatus(durably, forked.id, 'completed')).output).toMatchObject([['own', 'in'], {}]);
      const again = await durably.retrigger(id);
      expect((await untilStatus(durably, again.id, 'completed')).payload).toBe('in');
      await durably.schedule({ id: 's', jobName: 'echo', input: 'later', every: '1h' });
      const fired = await durably.fireSchedule('s');
      expect((await untilStatus(durably, fired.id, 'completed')).output).toBe('later');
    });

    test('are refused where a copy would be made of what cannot be decoded', async ({ world }) => {
      const { durably } = await world.idle({ use: [keyed(['k1'])] });
      const { id } = await durably.register({ echo }).echo.trigger('in');
      await durably.processUntilIdle();
      const { durably: other } = await world.idle({ use: [keyed(['k2'])] });
      other.register({ echo });
      expect(await rejectionOf(other.retrigger(id))).toMatchObject({ code: 'UNREADABLE' });
      expect(await other.getRuns()).toHaveLength(1);
    });

    test('fail the trigger, the step or the run if they cannot be encoded', async ({ world }) => {
      let isBroken = false;
      const { encode, decode } = unreadable();
      const fragile: DurablyPlugin = {
        name: 'fragile',
        encode(text) {
          if (isBroken && text.includes('bad')) throw new Error('no key today');
          return encode?.(text) ?? '';
        },
        decode: (encoded) => decode?.(encoded) ?? '',
      };
      const { durably } = await world.start({ use: [fragile] });
      const { task } = durably.register({
        task: job('task', async (step, at) => {
          const result = await step
            .run('work', () => (at === 'step' ? 'bad' : 'good'))
            .catch((error) => error.message);
          return at === 'run' ? 'bad' : result;
        }),
      });
      isBroken = true;
      expect(await rejectionOf(task.trigger('bad'))).toMatchObject({
        code: 'PLUGIN',
        message: 'Plugin "fragile" could not encode a value: no key today',
      });
      expect(await durably.getRuns()).toEqual([]);
      const message = 'Plugin "fragile" could not encode a value: no key today';
      const ofStep = await task.trigger('step');
      expect((await untilStatus(durably, ofStep.id, 'completed')).output).toBe(`Step "work": ${message}`);
      const ofRun = await task.trigger('run');
      expect((await untilStatus(durably, ofRun.id, 'failed')).error).toBe(`Invalid output: ${message}`);
    });
  },
  ({ use }) => use === undefined,
);

async function readPieces(pieces: AsyncIterable<string> | readonly string[]): Promise<string[]> {
  const all: string[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}
