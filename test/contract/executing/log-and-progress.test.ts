import { expect } from 'vitest';
import { NotFoundError, ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { journalTypes, recordEvents, rejectionOf } from '../../support/runs.ts';

const circular: Record<string, unknown> = {};

circular.self = circular;

function raise(): never {
  throw new Error('no text');
}

contract('step.log', (test) => {
  test('writes lines with level, message and data, oldest first', async ({ world }) => {
    const { durably } = await world.start();
    const { noisy } = durably.register({
      noisy: job('noisy', async (step) => {
        step.log.info('one', { a: [1] });
        await step.run('within', () => step.log.warn('two'));
        step.log.error('three', null);
      }),
    });
    const { id } = await noisy.triggerAndWait(0);
    const lines = await durably.getLogs({ runId: id });
    expect(lines).toMatchObject([
      { stepName: null, level: 'info', message: 'one', data: { a: [1] } },
      { stepName: 'within', level: 'warn', message: 'two', data: null },
      { stepName: null, level: 'error', message: 'three', data: null },
    ]);
    for (const { createdAt } of lines) expect(createdAt).toMatch(/^\d{4}-.*\.\d{3}Z$/);
    const sequences = lines.map(({ sequence }) => sequence);
    expect(sequences).toEqual([...new Set(sequences)].toSorted((a, b) => a - b));
  });

  test('can be read by level, after a given line, and page by page', async ({ world }) => {
    const { durably } = await world.start();
    const { noisy } = durably.register({
      noisy: job('noisy', (step) => {
        for (let i = 0; i < 250; i++) step.log[i % 2 === 0 ? 'info' : 'error'](`line ${i}`);
      }),
    });
    const { id: runId } = await noisy.triggerAndWait(0);
    const all = await durably.getLogs({ runId, limit: 1000 });
    expect(all.map(({ message }) => message)).toEqual(Array.from({ length: 250 }, (_, i) => `line ${i}`));
    expect(await durably.getLogs({ runId })).toEqual(all.slice(0, 100));
    expect(await durably.getLogs({ runId, after: all[99]?.sequence, limit: 7 })).toEqual(all.slice(100, 107));
    const errors = all.filter(({ level }) => level === 'error');
    expect(await durably.getLogs({ runId, level: 'error', limit: 1000 })).toEqual(errors);
    expect(await durably.getLogs({ runId, level: 'error', after: errors[3]?.sequence, limit: 1 })).toEqual([
      errors[4],
    ]);
    expect(await durably.getLogs({ runId, level: 'warn' })).toEqual([]);
  });

  test.for([
    ['level', { level: 'debug' as never }],
    ['limit', { limit: 0 }],
    ['limit', { limit: 1001 }],
    ['after', { after: -1 }],
    ['after', { after: 1.5 }],
  ] as const)('refuses to be read by a bad %s: %j', async ([name, query], { world }) => {
    const { durably } = await world.idle();
    const error = await rejectionOf(durably.getLogs({ runId: 'run_1', ...query }));
    expect(error).toBeInstanceOf(ValidationError);
    expect(error.message).toContain(name);
  });

  test('fails for an unknown run, and is empty for a run without lines', async ({ world }) => {
    const { durably } = await world.idle();
    const { silent } = durably.register({ silent: job('silent', () => 1) });
    expect(await durably.getLogs({ runId: (await silent.trigger(0)).id })).toEqual([]);
    expect(await rejectionOf(durably.getLogs({ runId: 'run_unknown' }))).toBeInstanceOf(NotFoundError);
  });

  test("replaces data that JSON can't hold with a warning", async ({ world }) => {
    const { durably } = await world.start();
    const deep = JSON.parse('['.repeat(501) + ']'.repeat(501));
    const { odd } = durably.register({
      odd: job('odd', (step) => {
        step.log.info('circular', circular);
        step.log.error('big', 1n);
        step.log.info('function', () => 1);
        step.log.info('deep', deep);
        step.log.info('between');
        return 'fine';
      }),
    });
    const { id, output } = await odd.triggerAndWait(0);
    expect(output).toBe('fine');
    const lines = await durably.getLogs({ runId: id });
    expect(lines.map(({ level }) => level)).toEqual(['warn', 'warn', 'warn', 'warn', 'info']);
    for (const [i, name] of ['circular', 'big', 'function', 'deep'].entries()) {
      expect(lines[i]?.message).toMatch(new RegExp(`^${name} .+`));
      expect(lines[i]?.data).toBeNull();
    }
  });

  test('never throws, whatever it is given', async ({ world }) => {
    const { durably } = await world.start();
    const throwing = { toString: () => raise(), toJSON: () => raise() };
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const throwingProxy = {
      toJSON: () => {
        throw proxy;
      },
    };
    const { odd } = durably.register({
      odd: job('odd', (step) => {
        const log = step.log.info as (...values: unknown[]) => void;
        for (const value of [
          undefined,
          null,
          7,
          Symbol('s'),
          throwing,
          throwingProxy,
          Object.create(null),
          new Error('e'),
        ]) {
          log(value, value);
        }
        step.log.info('a\ud800b\0c');
        return 'fine';
      }),
    });
    const { id, output } = await odd.triggerAndWait(0);
    expect(output).toBe('fine');
    const lines = await durably.getLogs({ runId: id });
    expect(lines).toHaveLength(9);
    expect(lines.at(-1)?.message).toBe('a\ufffdb\ufffdc');
  });
});

contract('step.progress', (test) => {
  test('is stored with the run and emitted', async ({ world }) => {
    const { durably } = await world.start();
    const events = recordEvents(durably, ['run:progress']);
    const { steady } = durably.register({
      steady: job('steady', async (step) => {
        step.progress(1);
        await step.run('one', () => 1);
        step.progress(2, 10);
        await step.run('two', () => 2);
        step.progress(3.5, 10, 'on the way');
      }),
    });
    const { id } = await steady.triggerAndWait(0);
    expect((await durably.getRun(id))?.progress).toStrictEqual({
      current: 3.5,
      total: 10,
      message: 'on the way',
    });
    expect(events.map((event) => 'progress' in event && event.progress)).toStrictEqual([
      { current: 1 },
      { current: 2, total: 10 },
      { current: 3.5, total: 10, message: 'on the way' },
    ]);
  });

  test('never throws, and writes a warning for an invalid value', async ({ world }) => {
    const { durably } = await world.start();
    const { odd } = durably.register({
      odd: job('odd', (step) => {
        const progress = (...values: unknown[]) => step.progress(...(values as [number]));
        progress(1, 2, 'kept \ud800\0');
        for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, '5', null, undefined, 5n, {}, Symbol('s')]) {
          progress(bad, 10);
          progress(1, bad === undefined ? Number.NaN : bad);
        }
        progress(1, 2, { toString: () => raise() });
        progress(1, 2, Symbol('s'));
        return 'fine';
      }),
    });
    const { id, output } = await odd.triggerAndWait(0);
    expect(output).toBe('fine');
    const lines = await durably.getLogs({ runId: id });
    expect(lines.filter(({ level }) => level === 'warn').length).toBeGreaterThanOrEqual(13);
    expect((await journalTypes(durably, id)).at(-1)).toBe('run:complete');
    const { progress } = (await durably.getRun(id)) ?? {};
    expect(progress?.current).toBe(1);
    expect(progress?.total).toBe(2);
  });
});
