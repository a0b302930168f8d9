import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../src/index.ts';
import { createTestDurably } from '../../src/testing.ts';
import { ROOT } from '../docs/markdown.ts';

const nothing = z.object({});
const child = defineJob({ name: 'child', input: nothing, run: () => 'done' });
const parent = defineJob({
  name: 'parent',
  input: nothing,
  run: async (step) => {
    await step.sleep('an hour', '1h');
    return await step.trigger('start', child, {});
  },
});

it('stores each run with the time of the test, also one that a step starts', async () => {
  const t = await createTestDurably({ jobs: { child, parent }, now: '2030-01-01T00:00:00Z' });
  const { output } = await t.run(parent, {});
  const started = await t.finish(output?.runId ?? '');
  expect(started).toMatchObject({
    createdAt: '2030-01-01T01:00:00.000Z',
    completedAt: '2030-01-01T01:00:00.000Z',
  });
  await t.advance('1d');
  const fresh = await t.run(child, {});
  expect(fresh).toMatchObject({
    createdAt: '2030-01-02T01:00:00.000Z',
    updatedAt: '2030-01-02T01:00:00.000Z',
  });
  await t.advance('1d');
  const [one] = await t.durably.batchTrigger([{ jobName: 'child', input: {} }]);
  expect(one?.createdAt).toBe('2030-01-03T01:00:00.000Z');
  const { createdAt } = await t.durably
    .fork(fresh.id, { from: 'none' })
    .catch(() => t.durably.retrigger(fresh.id));
  expect(createdAt).toBe('2030-01-03T01:00:00.000Z');
  await t.stop();
});

it('tells a transaction of the caller the time, and goes on after it was rolled back', async () => {
  const t = await createTestDurably({ jobs: { child }, now: '2030-01-01T00:00:00Z' });
  await t.advance('1h');
  const { durably } = t;
  const store = durably.db.transaction().execute(async (trx) => {
    await durably.trigger({ jobName: 'child', input: {}, trx });
    throw new Error('rolled back');
  });
  await expect(store).rejects.toThrow('rolled back');
  await t.advance('1h');
  expect(await t.run(child, {})).toMatchObject({ createdAt: '2030-01-01T02:00:00.000Z' });
  expect(await t.durably.getRuns()).toHaveLength(1);
  await t.stop();
});

it('reaches every place where the database asks for the time', () => {
  const folders = ['src/storage/sqlite', 'migrations/sqlite'].map((path) => join(ROOT, path));
  const texts = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|sql)$/.test(name))
      .map((name) => readFileSync(join(folder, name), 'utf8')),
  );
  const asked = texts.flatMap((text) => [
    ...text.matchAll(/unixepoch\('subsec'\)( \* 1000)?|current_timestamp/gi),
  ]);
  expect(asked.length).toBeGreaterThan(5);
  expect(asked.filter(([, inMs]) => inMs === undefined)).toEqual([]);
});
