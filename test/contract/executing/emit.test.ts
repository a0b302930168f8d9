import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { journalTypes, readAll, recordEvents } from '../../support/runs.ts';

const circular: Record<string, unknown> = {};
circular.self = circular;

contract('step.emit', (test) => {
  test('tells listeners and streams, with the step within which it was called', async ({ world }) => {
    const { durably } = await world.start();
    const heard = recordEvents(durably, ['run:emit']);
    const { model } = durably.register({
      model: job('model', async (step) => {
        step.emit('begins');
        await step.run('answer', () => {
          for (const text of ['Hel', 'lo']) step.emit('token', { text });
        });
        return step.emit('ends', null);
      }),
    });
    const { id } = await model.triggerAndWait(0);
    const expected = [
      { type: 'run:emit', runId: id, jobName: 'model', name: 'begins', data: null, stepName: null },
      { name: 'token', data: { text: 'Hel' }, stepName: 'answer' },
      { name: 'token', data: { text: 'lo' }, stepName: 'answer' },
      { name: 'ends', data: null, stepName: null },
    ];
    expect(heard).toMatchObject(expected);
    const replayed = await readAll(durably.subscribe(id));
    expect(replayed.filter(({ type }) => type === 'run:emit')).toMatchObject(expected);
    expect(await durably.getLogs({ runId: id })).toEqual([]);
  });

  test('is stored in order with what comes before and after it', async ({ world }) => {
    const { durably } = await world.start();
    const { model } = durably.register({
      model: job('model', async (step) => {
        step.log.info('first');
        step.emit('second');
        step.progress(3);
        await step.run('step', () => step.emit('within'));
      }),
    });
    const { id } = await model.triggerAndWait(0);
    expect(await journalTypes(durably, id)).toEqual([
      'run:trigger',
      'run:start',
      'log:write',
      'run:emit',
      'run:progress',
      'step:start',
      'run:emit',
      'step:complete',
      'run:complete',
    ]);
  });

  test('never throws: a log line says what was left out, and errors are stored as their details', async ({
    world,
  }) => {
    const { durably } = await world.start();
    const { odd } = durably.register({
      odd: job('odd', (step) => {
        step.emit('circular', circular);
        step.emit('error', { error: new TypeError('broken') });
        step.emit(undefined as never);
        step.emit(`long ${'x'.repeat(5_000)}`);
        step.emit('a\0b\ud800');
      }),
    });
    const { id } = await odd.triggerAndWait(0);
    const events = (await readAll(durably.subscribe(id))).filter((event) => event.type === 'run:emit');
    expect(events[0]).toMatchObject({
      name: 'error',
      data: { error: { name: 'TypeError', message: 'broken' } },
    });
    expect(events[1]?.name).toBe('undefined');
    expect(events[2]?.name).toMatch(/^long x{1000,1020}…$/);
    expect(events[3]?.name).toBe('a\ufffdb\ufffd');
    const [line] = await durably.getLogs({ runId: id });
    expect(line).toMatchObject({ level: 'warn', data: null });
    expect(line?.message).toMatch(/^event "circular" left out: /);
  });

  test('leaves events out when too many wait, and one line says how many', async ({ world }) => {
    const { durably } = await world.start();
    const data = 'x'.repeat(1024 * 1024);
    const { noisy } = durably.register({
      noisy: job('noisy', (step) => {
        for (let i = 0; i < 200; i++) step.emit('chunk', data);
      }),
    });
    const { id } = await noisy.triggerAndWait(0);
    const stored = (await journalTypes(durably, id)).filter((type) => type === 'run:emit').length;
    expect(stored).toBeLessThan(50);
    const [line] = await durably.getLogs({ runId: id });
    expect(line?.message).toMatch(new RegExp(`^${200 - stored} events were left out here`));
  });
});
