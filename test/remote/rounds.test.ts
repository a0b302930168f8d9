import { describe, expect, test } from 'vitest';
import type { Durably } from '../../src/create-durably.ts';
import { job } from '../support/jobs.ts';
import { startRemote } from '../support/remote.ts';
import type { Sqld } from '../support/sqld/server.ts';
import { until } from '../support/until.ts';

const stepped = job('stepped', async (step, steps) => {
  for (let i = 0; i < Number(steps); i++) await step.run(`step ${i}`, () => i);
});

/**
 * Counts how many answers a worker waits for, one after the other, until all
 * runs are over: the server answers all that wait at once, and only when
 * whatever follows from the last answers has been asked. Latency as a count,
 * which no slow machine changes.
 */
async function countRounds(server: Sqld, durably: Durably, runs: number): Promise<number> {
  const waiting: (() => void)[] = [];
  server.gate = () => new Promise((resolve) => void waiting.push(resolve));
  let ended = 0;
  durably.on('run:complete', () => void ended++);
  durably.start();
  for (let rounds = 0; ; rounds++) {
    await until(() => ended === runs || waiting.length > 0);
    if (ended === runs) return rounds;
    await calm(server);
    for (const release of waiting.splice(0)) release();
  }
}

/** Waits until nothing more is asked. */
async function calm(server: Sqld): Promise<void> {
  for (let still = 0, seen = server.requests; still < 3; seen = server.requests) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    still = seen === server.requests ? still + 1 : 0;
  }
}

/** How many rounds it takes if no slot ever waits: each run one for its claim, its steps and its end. */
function idealRounds(steps: readonly number[], slots: number): number {
  const freeAt = Array<number>(slots).fill(0);
  for (const count of steps) {
    const earliest = freeAt.indexOf(Math.min(...freeAt));
    freeAt[earliest] = (freeAt[earliest] ?? 0) + count + 2;
  }
  return Math.max(...freeAt);
}

describe('rounds to a remote database', () => {
  test.each([
    { title: 'a run of five steps waits for seven answers', steps: [5], slots: 1 },
    { title: 'a hundred runs keep ten slots busy', steps: Array<number>(100).fill(5), slots: 10 },
    {
      title: 'so they do when their slots free at different times',
      steps: Array.from({ length: 100 }, (_, i) => 1 + ((i * 7) % 6)),
      slots: 10,
    },
  ])('$title', async ({ steps, slots }) => {
    const { startStill, server } = await startRemote();
    const { durably } = await startStill({ maxConcurrentRuns: slots });
    const { stepped: handle } = durably.register({ stepped });
    await durably.stop();
    await handle.batchTrigger([...steps]);
    expect(await countRounds(server, durably, steps.length)).toBe(idealRounds(steps, slots));
    server.gate = undefined;
  });
});
