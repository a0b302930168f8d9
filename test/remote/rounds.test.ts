import { describe, expect, test } from 'vitest';
import type { Durably } from '../../src/create-durably.ts';
import { job } from '../support/jobs.ts';
import { startRemote } from '../support/remote.ts';
import type { Sqld } from '../support/sqld/server.ts';
import { deferred, until } from '../support/until.ts';

const stepped = job('stepped', async (step, steps) => {
  for (let i = 0; i < Number(steps); i++) await step.run(`step ${i}`, () => i);
});

/**
 * Counts the answers that a task waits for one after another. The server answers all waiting
 * requests at once, and only when everything that the last answers caused has been sent. So latency
 * becomes a number that a slow machine does not change.
 */
async function countRounds(server: Sqld, task: () => Promise<unknown>): Promise<number> {
  const waiting: (() => void)[] = [];
  server.gate = () => new Promise((resolve) => void waiting.push(resolve));
  let isOver = false;
  const done = task().finally(() => {
    isOver = true;
  });
  let rounds = 0;
  for (; ; rounds++) {
    await until(() => isOver || waiting.length > 0);
    if (isOver) break;
    await calm(server);
    for (const release of waiting.splice(0)) release();
  }
  server.gate = undefined;
  for (const release of waiting) release();
  await done;
  return rounds;
}

/** Starts the worker. Resolves when this many runs are completed. */
async function drain(durably: Durably, runs: number): Promise<void> {
  let ended = 0;
  const all = deferred();
  durably.on('run:complete', () => ++ended === runs && all.resolve());
  durably.start();
  await all.promise;
}

/** Waits until no more requests come. */
async function calm(server: Sqld): Promise<void> {
  for (let still = 0, seen = server.requests; still < 3; seen = server.requests) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    still = seen === server.requests ? still + 1 : 0;
  }
}

/**
 * The number of rounds if no slot ever waits: the first claim, each step, and each end with the next
 * claim.
 */
function idealRounds(steps: readonly number[], slots: number): number {
  const freeAt = Array<number>(slots).fill(1);
  for (const count of steps) {
    const earliest = freeAt.indexOf(Math.min(...freeAt));
    freeAt[earliest] = (freeAt[earliest] ?? 0) + count + 1;
  }
  return Math.max(...freeAt);
}

describe('round trips to a remote database', () => {
  test.each([
    { title: 'a run of five steps waits for seven answers', steps: [5], slots: 1 },
    { title: 'a hundred runs keep ten slots busy', steps: Array<number>(100).fill(5), slots: 10 },
    {
      title: 'a hundred runs of different lengths keep ten slots busy',
      steps: Array.from({ length: 100 }, (_, i) => 1 + ((i * 7) % 6)),
      slots: 10,
    },
  ])('$title', async ({ steps, slots }) => {
    const { startStill, server } = await startRemote();
    const { durably } = await startStill({ maxConcurrentRuns: slots });
    const { stepped: handle } = durably.register({ stepped });
    await durably.stop();
    await handle.batchTrigger([...steps]);
    const rounds = await countRounds(server, () => drain(durably, steps.length));
    expect(rounds).toBe(idealRounds(steps, slots));
  });

  test('a triggered run needs no round trip for its claim, which leaves with its trigger', async () => {
    const { startStill, server } = await startRemote();
    const { durably } = await startStill();
    const { stepped: handle } = durably.register({ stepped });
    await calm(server);
    expect(await countRounds(server, () => handle.triggerAndWait(5))).toBe(idealRounds([5], 1));
  });
});
