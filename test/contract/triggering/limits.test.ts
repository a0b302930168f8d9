import { expect } from 'vitest';
import { ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { readAll, recordEvents, rejectionOf, untilStatus } from '../../support/runs.ts';

/** Lone surrogates, which crash libSQL's process in a JSON function, and other odd characters. */
const ODD_TEXTS = [
  '\ud800',
  'a\udfffb',
  '\udc00\ud800',
  'a\0b',
  '\u0001\u001f\u007f',
  '\u2028\u2029',
  '🙂\u200d',
  `"'\\\``,
  '\ufeff',
  '\\ud800',
  '\\u0000',
];

contract('keys', (test) => {
  test.for(['idempotencyKey', 'concurrencyKey'] as const)(
    '%s has 1 to 256 UTF-16 units',
    async (name, { world }) => {
      const { durably } = await world.idle();
      const handle = durably.register({ echo }).echo;
      for (const key of ['k', 'k'.repeat(256), '🙂'.repeat(128), ' ', '\u0001']) {
        expect((await handle.trigger(1, { [name]: key }))[name]).toBe(key);
      }
      const created = await durably.getRuns();
      const bad = [
        '',
        'k'.repeat(257),
        '🙂'.repeat(129),
        'a\ud800',
        '\udc00',
        'a\0',
        '\0',
        7,
        true,
        {},
        ['k'],
      ];
      for (const key of bad) {
        for (const call of [
          handle.trigger(1, { [name]: key }),
          handle.triggerAndWait(1, { [name]: key as string }),
          handle.batchTrigger([{ input: 1, options: { [name]: key as string } }]),
          durably.trigger({ jobName: 'echo', input: 1, [name]: key }),
        ]) {
          const error = await rejectionOf(call);
          expect(error).toBeInstanceOf(ValidationError);
          expect(error.message).toContain(name);
          expect((error as ValidationError).issues[0]?.path).toEqual([name]);
        }
      }
      expect(await durably.getRuns()).toEqual(created);
    },
  );

  test('may be undefined, which means no key', async ({ world }) => {
    const { durably } = await world.idle();
    const run = await durably
      .register({ echo })
      .echo.trigger(1, { idempotencyKey: undefined, concurrencyKey: undefined });
    expect(run).toMatchObject({ idempotencyKey: null, concurrencyKey: null });
  });
});

contract('odd text', (test) => {
  test('survives as JSON in payload, step result, output, log data and progress', async ({ world }) => {
    const { durably } = await world.start();
    const value = { texts: ODD_TEXTS, ...Object.fromEntries(ODD_TEXTS.map((text) => [text, text])) };
    const { odd } = durably.register({
      odd: job('odd', async (step, payload) => {
        step.log.info('data', payload);
        const result = await step.run('result', () => payload);
        return [result, payload];
      }),
    });
    const run = await odd.trigger(value);
    expect(run.payload).toEqual(value);
    const { output } = await untilStatus(durably, run.id, 'completed');
    expect(output).toEqual([value, value]);
    const { durably: other } = await world.start();
    expect((await other.getRuns())[0]?.payload).toEqual(value);
    expect((await other.getSteps(run.id))[0]?.output).toEqual(value);
    expect((await other.getLogs({ runId: run.id }))[0]?.data).toEqual(value);
    const events = await readAll(other.subscribe(run.id));
    expect(events.find(({ type }) => type === 'run:start')).toMatchObject({ payload: value });
    expect(events.at(-1)).toMatchObject({ type: 'run:complete', output: [value, value] });
  });

  test('is made well-formed in step names, messages, progress and errors', async ({ world }) => {
    const { durably } = await world.start();
    const heard = recordEvents(durably);
    const { odd } = durably.register({
      odd: job('odd', async (step) => {
        await step.run('name \ud800\0', () => step.log.info('line \udfff\0'));
        step.progress(1, 2, 'progress \ud800\0');
        const failing = step.run('failing', () => Promise.reject(new Error('step \ud800\0')));
        await failing.catch(() => undefined);
        throw new Error('error \ud800\0');
      }),
    });
    const run = await untilStatus(durably, (await odd.trigger(0)).id, 'failed');
    expect(run.error).toBe('error \ufffd\ufffd');
    expect(run.progress?.message).toBe('progress \ufffd\ufffd');
    const steps = await durably.getSteps(run.id);
    expect(steps.map(({ name, error }) => [name, error])).toEqual([
      ['name \ufffd\ufffd', null],
      ['failing', 'step \ufffd\ufffd'],
    ]);
    const [line] = await durably.getLogs({ runId: run.id });
    expect(line).toMatchObject({ message: 'line \ufffd\ufffd', stepName: 'name \ufffd\ufffd' });
    const told = JSON.stringify(heard);
    expect(told).not.toMatch(/\\ud800|\\udfff|\\u0000/);
  });

  test('can make two step names equal, which are then one step', async ({ world }) => {
    const { durably } = await world.start();
    const { odd } = durably.register({
      odd: job('odd', async (step) => {
        await step.run('a\ud800', () => 1);
        return (await rejectionOf(step.run('a\ufffd', () => 2))).message;
      }),
    });
    expect((await odd.triggerAndWait(0)).output).toContain('a\ufffd');
  });

  test('is harmless in the parameters of lists', async ({ world }) => {
    const { durably } = await world.idle();
    const { echo: handle } = durably.register({ echo });
    await handle.trigger(1);
    for (const text of ODD_TEXTS) {
      expect(await durably.getRun(text)).toBeNull();
      expect(await handle.getRun(text)).toBeNull();
      expect(await durably.getRuns({ jobName: text })).toEqual([]);
      expect(await durably.getRuns({ jobName: ['echo', text], status: ['pending', 'failed'] })).toHaveLength(
        1,
      );
      expect(await rejectionOf(durably.getLogs({ runId: text }))).toMatchObject({ code: 'NOT_FOUND' });
      expect(await rejectionOf(durably.trigger({ jobName: text, input: 1 }))).toMatchObject({
        code: 'NOT_FOUND',
      });
    }
  });

  test('affects no other member of its group', async ({ world }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 10 });
    const deep = JSON.parse('['.repeat(500) + ']'.repeat(500));
    const { mixed } = durably.register({
      mixed: job('mixed', async (step, payload) => {
        if (payload === 'deep') return await step.run('r', () => deep);
        if (payload === 'too deep') return await step.run('r', () => [deep]);
        return await step.run('r', () => payload);
      }),
    });
    const inputs = ['a', 'deep', '\ud800', 'too deep', 'b', 'a\0b', 'deep', 'c'];
    const settled = await Promise.allSettled(inputs.map((input) => mixed.triggerAndWait(input)));
    expect(settled.map((one, i) => [inputs[i], one.status])).toEqual(
      inputs.map((input) => [input, input === 'too deep' ? 'rejected' : 'fulfilled']),
    );
    const outputs = settled.map((one) => (one.status === 'fulfilled' ? one.value.output : null));
    expect(outputs[2]).toBe('\ud800');
    expect(outputs[5]).toBe('a\0b');
    expect(JSON.stringify(outputs[1])).toBe(JSON.stringify(deep));
  });

  test('a payload of a megabyte is stored whole', async ({ world }) => {
    const { durably } = await world.start();
    const text = '\ud800é🙂"\\'.repeat(100_000);
    const { echo: handle } = durably.register({ echo });
    expect((await handle.triggerAndWait(text)).output).toBe(text);
  });
});
