import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { echo } from '../support/jobs.ts';
import { startRemote } from '../support/remote.ts';
import { untilStatus } from '../support/runs.ts';
import { until } from '../support/until.ts';

/** An instance on a server whose way the test blocks: for writes, or for all. */
async function withBlockedWay() {
  const { startStill, server } = await startRemote();
  let blocked: 'nothing' | 'writes' | 'all' = 'nothing';
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const fetch = async (request: Request): Promise<Response> => {
    const isWrite = (await request.clone().text()).includes('"batch"');
    if (blocked === 'all') throw new TypeError('fetch failed');
    // As a server whose write queue is broken: no answer ever comes.
    if (blocked === 'writes' && isWrite) return await new Promise(() => undefined);
    return await globalThis.fetch(request);
  };
  const { durably, clock } = await startStill({ fetch, logger: { info: write, warn: write, error: write } });
  const handles = durably.register({ echo });
  const stuckLines = () => lines.filter((line) => line.includes('has taken no write'));
  /** Lets time pass in small steps, so that answers arrive in between. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 250) {
      clock.advance(250);
      for (let i = 0; i < 3; i++) await nextTurn();
    }
  };
  return {
    durably,
    handles,
    clock,
    server,
    lines,
    stuckLines,
    pass,
    block: (what: typeof blocked) => {
      blocked = what;
    },
  };
}

describe('a server that answers reads and takes no writes', () => {
  test('causes one log line after 30 s, and another one when it takes writes again', async () => {
    const { durably, handles, clock, lines, stuckLines, pass, block } = await withBlockedWay();
    block('writes');
    const startMs = clock.monotonicMs();
    await until(async () => {
      await pass(1_000);
      return stuckLines().length > 0;
    });
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(30_000);
    expect(stuckLines()[0]).toMatch(/answers reads, but has taken no write for \d+ s .*restart/);
    await pass(300_000);
    expect(stuckLines()).toHaveLength(1);
    block('nothing');
    await until(async () => {
      await pass(1_000);
      return lines.some((line) => /takes writes again, after \d+ s/.test(line));
    });
    const { id } = await handles.echo.trigger('after');
    await untilStatus(durably, id, 'completed');
  });

  test('is unhealthy without a break, from ten seconds on', async () => {
    const { durably, pass, block } = await withBlockedWay();
    block('writes');
    await pass(11_000);
    const seen: boolean[] = [];
    for (let i = 0; i < 40; i++) {
      const asked = durably.health();
      await pass(1_000);
      void asked.then(({ database }) => void seen.push(database));
    }
    await pass(11_000);
    block('nothing');
    expect(seen).toEqual(Array.from({ length: 40 }, () => false));
  });

  test('is distinguished from a server that does not answer, in the health of the instance', async () => {
    const { durably, pass, block } = await withBlockedWay();
    expect(await durably.health()).toEqual({ database: true, worker: true });
    block('writes');
    await pass(12_000);
    const reason = 'database takes no writes';
    expect(await durably.health()).toEqual({ database: false, worker: true, reason });
    block('all');
    const asked = durably.health();
    await pass(2_500);
    expect(await asked).toEqual({ database: false, worker: true, reason: 'database does not answer' });
    block('nothing');
    await until(async () => {
      await pass(1_000);
      return (await durably.health()).database;
    });
    expect(await durably.health()).toEqual({ database: true, worker: true });
  });

  test('causes no such line if it answers nothing', async () => {
    const { stuckLines, pass, block } = await withBlockedWay();
    block('all');
    await pass(120_000);
    expect(stuckLines()).toEqual([]);
    block('nothing');
  });
});
