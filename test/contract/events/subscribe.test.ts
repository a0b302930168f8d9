import { expect } from 'vitest';
import type { EventCursor } from '../../../src/core/feeds.ts';
import { type Durably, type DurablyEvent, NotFoundError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { nextEvent, readAll, rejectionOf, untilStatus } from '../../support/runs.ts';
import { deferred } from '../../support/until.ts';

const types = (events: readonly DurablyEvent[]) => events.map(({ type }) => type);
const STEPPED = ['run:trigger', 'run:start', 'step:start', 'log:write', 'step:complete', 'run:complete'];

const stepped = job('stepped', (step) =>
  step.run('one', () => {
    step.log.info('within', { a: 1 });
    return 'result';
  }),
);

async function jsonOf(durably: Durably, runId: string): Promise<string[]> {
  const feed = await durably.openRunFeed(runId);
  if (feed.kind !== 'open') throw new Error('no such run');
  return await drain(feed.cursor);
}

async function drain(cursor: EventCursor): Promise<string[]> {
  const texts: string[] = [];
  for (let events = await cursor.next(); events !== null; events = await cursor.next()) {
    for (const { sequence, json } of events) texts.push(`${sequence} ${json}`);
  }
  return texts;
}

contract('subscribe', (test) => {
  test('reads a page only after the previous one has been read', async ({ world }) => {
    const { durably, statements } = await world.start();
    const { chatty } = durably.register({
      chatty: job('chatty', (step) => {
        for (let i = 0; i < 700; i++) step.log.info(`line ${i}`);
      }),
    });
    const { id } = await chatty.triggerAndWait(0);
    const before = statements.length;
    const pages = () => statements.slice(before).filter(({ sql }) => sql.includes('j.run_id = ?')).length;
    const reader = durably.subscribe(id).getReader();
    await reader.read();
    await idle();
    expect(pages()).toBe(1);
    for (let i = 0; i < 200; i++) await reader.read();
    await idle();
    expect(pages()).toBe(2);
    await reader.cancel();
  });

  test('replays a finished run from its first event, and closes', async ({ world }) => {
    const { durably } = await world.start();
    const { id } = await durably.register({ stepped }).stepped.triggerAndWait('in');
    const events = await readAll(durably.subscribe(id));
    const base = {
      runId: id,
      jobName: 'stepped',
      timestamp: expect.any(String),
      sequence: expect.any(Number),
    };
    const step = { stepName: 'one', stepIndex: 0 };
    expect(events).toEqual([
      { ...base, type: 'run:trigger' },
      { ...base, type: 'run:start', payload: 'in', attempt: 1 },
      { ...base, ...step, type: 'step:start' },
      { ...base, type: 'log:write', stepName: 'one', level: 'info', message: 'within', data: { a: 1 } },
      { ...base, ...step, type: 'step:complete', output: 'result', duration: expect.any(Number) },
      { ...base, type: 'run:complete', output: 'result', duration: expect.any(Number) },
    ]);
  });

  test('has the sequences and timestamps of the journal', async ({ world }) => {
    const { durably } = await world.start();
    const { id } = await durably.register({ stepped }).stepped.triggerAndWait('in');
    const rows = await durably.db
      .selectFrom('durably_journal')
      .select(['sequence', 'type', 'created_at'])
      .orderBy('sequence')
      .execute();
    const events = await readAll(durably.subscribe(id));
    expect(events.map(({ sequence, type, timestamp }) => [sequence, type, Date.parse(timestamp)])).toEqual(
      rows.map((row) => [row.sequence, row.type, row.created_at]),
    );
    expect(events.map(({ sequence }) => sequence)).toEqual(
      [...new Set(events.map(({ sequence }) => sequence))].toSorted((a, b) => a - b),
    );
  });

  test('follows a live run to its end', async ({ world }) => {
    const { durably } = await world.start();
    const gate = deferred();
    const { held } = durably.register({ held: job('held', (step) => step.run('one', () => gate.promise)) });
    const run = await held.trigger(0);
    const reader = durably.subscribe(run.id).getReader();
    const seen: string[] = [];
    while (seen.at(-1) !== 'step:start') seen.push((await reader.read()).value?.type ?? '');
    expect(seen).toEqual(['run:trigger', 'run:start', 'step:start']);
    gate.resolve();
    expect((await reader.read()).value?.type).toBe('step:complete');
    expect((await reader.read()).value?.type).toBe('run:complete');
    expect((await reader.read()).done).toBe(true);
  });

  test.for(['failed', 'cancelled'] as const)('ends when the run is %s', async (ending, { world }) => {
    const { durably } = await world.start();
    const { any } = durably.register({
      any: job('any', () => {
        if (ending === 'failed') throw new Error('failed');
        return new Promise(() => undefined);
      }),
    });
    const started = nextEvent(durably, 'run:start');
    const run = await any.trigger(0);
    const events = readAll(durably.subscribe(run.id));
    await started;
    if (ending === 'cancelled') await durably.cancel(run.id);
    const type = ending === 'failed' ? 'run:fail' : 'run:cancel';
    expect(types(await events)).toEqual(['run:trigger', 'run:start', type]);
    // A stream that is opened later also ends.
    expect(types(await readAll(durably.subscribe(run.id))).at(-1)).toBe(type);
  });

  test('continues through a failure and a retry to the new end', async ({ world }) => {
    const { durably } = await world.start();
    let isBroken = true;
    const { flaky } = durably.register({
      flaky: job('flaky', () => {
        if (isBroken) throw new Error('once');
      }),
    });
    const run = await flaky.trigger(0);
    await untilStatus(durably, run.id, 'failed');
    isBroken = false;
    await durably.stop();
    await durably.retry(run.id);
    const live = readAll(durably.subscribe(run.id));
    durably.start();
    const expected = ['run:trigger', 'run:start', 'run:fail', 'run:retry', 'run:start', 'run:complete'];
    expect(types(await live)).toEqual(expected);
    expect(types(await readAll(durably.subscribe(run.id)))).toEqual(expected);
  });

  test('ends with run:delete after a deletion', async ({ world }) => {
    const { durably } = await world.idle();
    const run = await durably.register({ echo }).echo.trigger(0);
    const reader = durably.subscribe(run.id).getReader();
    expect((await reader.read()).value?.type).toBe('run:trigger');
    const waiting = reader.read();
    await Promise.all([durably.cancel(run.id), durably.deleteRun(run.id)]);
    const rest = [(await waiting).value?.type];
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      rest.push(value.type);
    }
    expect(rest.at(-1)).toBe('run:delete');
  });

  test('fails with NotFoundError for an unknown or deleted run', async ({ world }) => {
    const { durably } = await world.idle();
    const run = await durably.register({ echo }).echo.trigger(0);
    await durably.cancel(run.id);
    await durably.deleteRun(run.id);
    for (const id of ['run_unknown', '', '\ud800', run.id]) {
      expect(await rejectionOf(readAll(durably.subscribe(id)))).toBeInstanceOf(NotFoundError);
    }
  });

  test('causes no unhandled rejection if nobody reads its error', async ({ world }) => {
    const { durably } = await world.idle();
    durably.subscribe('run_unknown');
    await idle();
  });

  test('gives the readers of two instances the same bytes, live and replayed', async ({ world }) => {
    const { durably } = await world.start();
    const { durably: other } = await world.idle({ pollingInterval: 5 });
    const { long } = durably.register({
      long: job('long', async (step) => {
        for (let i = 0; i < 40; i++) {
          await step.run(`step ${i}`, () => {
            step.log.info(`line ${i}`, { i });
            step.progress(i, 40);
            return { i };
          });
        }
      }),
    });
    const run = await long.trigger({ some: 'payload' });
    const live = await Promise.all([durably, other, other].map((one) => jsonOf(one, run.id)));
    const replayed = await Promise.all([durably, other].map((one) => jsonOf(one, run.id)));
    for (const texts of [...live, ...replayed]) expect(texts).toEqual(live[0]);
    expect(live[0]).toHaveLength(2 + 40 * 4 + 1);
  });

  test('replays a run of thousands of events in full and in order', async ({ world }) => {
    const { durably } = await world.start();
    const { loud } = durably.register({
      loud: job('loud', (step) => {
        for (let i = 0; i < 2500; i++) step.log.info(`${i}`);
      }),
    });
    const run = await loud.trigger(0);
    const live = readAll(durably.subscribe(run.id));
    const lines = (events: DurablyEvent[]) =>
      events.flatMap((event) => (event.type === 'log:write' ? [event.message] : []));
    const expected = Array.from({ length: 2500 }, (_, i) => `${i}`);
    expect(lines(await live)).toEqual(expected);
    expect(lines(await readAll(durably.subscribe(run.id)))).toEqual(expected);
  });

  test('closes at the end of a finished run, whatever the number of its events', async ({ world }) => {
    const { durably } = await world.start();
    const { loud } = durably.register({
      loud: job('loud', (step, lines) => {
        for (let i = 0; i < (lines as number); i++) step.log.info(`${i}`);
      }),
    });
    for (const length of [100, 200, 256, 400, 500, 512, 1000]) {
      // The trigger, the start and the end are the other three.
      const { id } = await loud.triggerAndWait(length - 3);
      expect(await readAll(durably.subscribe(id))).toHaveLength(length);
    }
  });

  test('contains no events of other runs', async ({ world }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 5 });
    const handle = durably.register({ stepped }).stepped;
    const runs = await handle.batchTrigger([1, 2, 3, 4, 5]);
    const streams = await Promise.all(runs.map(({ id }) => readAll(durably.subscribe(id))));
    for (const [i, events] of streams.entries()) {
      expect(types(events)).toEqual(STEPPED);
      expect(new Set(events.map((event) => 'runId' in event && event.runId))).toEqual(new Set([runs[i]?.id]));
    }
  });
});
