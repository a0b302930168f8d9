import { expect, test } from 'vitest';
import { z } from 'zod';
import { createApiKeys, createDurablyApp } from '../../../src/hono.ts';
import { createDurably, defineJob } from '../../../src/index.ts';
import { createDurablyHandler } from '../../../src/server.ts';
import { openDatabase } from '../../../src/sqlite.ts';
import { contract } from '../../support/contract.ts';
import { echo } from '../../support/jobs.ts';

/** A call from JavaScript, without a compiler's checks. */
const unchecked = (options: object): never => options as never;

contract('options that are not known', (test) => {
  test('are refused by name with the nearest known name, and nothing is stored', async ({ world }) => {
    const { durably } = await world.start({ worker: 'on-demand' });
    const { job } = durably.register({ job: echo });
    const refusals: [Promise<unknown>, RegExp][] = [
      [job.trigger({}, unchecked({ label: {} })), /Unknown trigger option "label"; did you mean "labels"/],
      [job.triggerAndWait({}, unchecked({ timeoutMs: 1 })), /"timeoutMs"; did you mean "timeout"/],
      [job.batchTrigger([{ input: {}, options: unchecked({ concurencyKey: 'a' }) }]), /"concurrencyKey"/],
      [durably.trigger(unchecked({ jobName: echo.name, input: {}, weight: 1 })), /"weight"; known: /],
      [job.trigger({}, unchecked([])), /trigger options must be given as an object/],
      [job.getRuns(unchecked({ jobName: 'other' })), /Unknown filter member "jobName"/],
      [durably.getRuns(unchecked({ state: 'failed' })), /Unknown filter member "state"/],
      [durably.getRuns(unchecked({ label: {} })), /did you mean "labels"/],
      [durably.getLogs(unchecked({ runId: 'r', levels: 'info' })), /did you mean "level"/],
      [durably.stop(unchecked({ timeout: 5 })), /Unknown stop option "timeout"; did you mean "timeoutMs"/],
      [durably.processUntilIdle(unchecked({ maxRun: 1 })), /did you mean "maxRuns"/],
    ];
    for (const [refused, message] of refusals) {
      await expect(refused).rejects.toMatchObject({
        code: 'VALIDATION',
        message: expect.stringMatching(message),
      });
    }
    expect(await durably.getRuns()).toEqual([]);
  });

  test('suggest the nearest job, if one is near', async ({ world }) => {
    const { durably } = await world.start({ worker: 'on-demand' });
    durably.register({ mail: defineJob({ name: 'send-mail', input: z.any(), run: () => 1 }) });
    const trigger = (jobName: string) => durably.trigger({ jobName, input: 1 });
    await expect(trigger('sendmail')).rejects.toMatchObject({
      name: 'NotFoundError',
      message: 'Job not found: sendmail; did you mean "send-mail"?',
    });
    await expect(trigger('import')).rejects.toMatchObject({ message: 'Job not found: import' });
  });

  test('a key scope separates idempotency keys and is not shown', async ({ world }) => {
    const { durably } = await world.start({ worker: 'on-demand' });
    const { job } = durably.register({ job: echo });
    const idempotencyKey = 'k'.repeat(256);
    const of = (keyScope?: string) => job.trigger({}, { idempotencyKey, keyScope });
    const [acme, bolt, none] = [await of('acme'), await of('b'.repeat(256)), await of()];
    expect(new Set([acme.id, bolt.id, none.id]).size).toBe(3);
    expect([(await of('acme')).id, (await of()).id]).toEqual([acme.id, none.id]);
    for (const { id } of [acme, bolt, none]) {
      expect(await durably.getRun(id)).toMatchObject({ idempotencyKey });
    }
    const odd = await job.trigger({}, { idempotencyKey: `\u001facme\u001f${idempotencyKey.slice(10)}` });
    expect(odd.idempotencyKey).toBe(`\u001facme\u001f${idempotencyKey.slice(10)}`);
    await expect(job.trigger({}, { idempotencyKey, keyScope: 'a\u001f' })).rejects.toThrow('U+001F');
  });

  test('show only the beginning of the path to a deep value', async ({ world }) => {
    const { durably } = await world.start({ worker: 'on-demand' });
    const levels: z.ZodType = z.lazy(() => z.object({ level: levels, ok: z.literal(true) }));
    const { job } = durably.register({ job: defineJob({ name: 'deep', input: levels, run: () => 1 }) });
    let deep: unknown = {};
    for (let i = 0; i < 480; i++) deep = { level: deep, ok: false };
    const error = await job.trigger(unchecked(deep as object)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'VALIDATION' });
    expect(JSON.stringify(error).length + String(error).length).toBeLessThan(15_000);
  });

  test('list only the first few of a million wrong values', async ({ world }) => {
    const { durably } = await world.start({ worker: 'on-demand' });
    const list = defineJob({ name: 'list', input: z.array(z.string()), run: () => 1 });
    const { job } = durably.register({ job: list });
    const error = await job.trigger(Array(10_000).fill(1) as never).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'VALIDATION' });
    const { issues, message } = error as { issues: object[]; message: string };
    expect(issues).toHaveLength(21);
    expect(issues.at(-1)).toEqual({ path: [], message: 'and 9980 more' });
    expect(message.length).toBeLessThan(5_000);
  });
});

test('are refused when a local database is opened', async () => {
  const url = 'file:/nowhere/a.db';
  const refusals: [object, string][] = [
    [{ url, authtoken: 'x' }, 'Unknown openDatabase option "authtoken"; known: url'],
    [{ url, authToken: 'x' }, 'Unknown openDatabase option "authToken"; known: url'],
    [{ url, intMode: 'bigint' }, 'Unknown openDatabase option "intMode"; known: url'],
    [{ uri: url }, 'Unknown openDatabase option "uri"; did you mean "url"?'],
  ];
  for (const [options, message] of refusals) {
    await expect(openDatabase(unchecked(options))).rejects.toMatchObject({ code: 'VALIDATION', message });
  }
  await expect(openDatabase(undefined as never)).rejects.toMatchObject({ code: 'VALIDATION' });
});

test('are refused when instances, jobs, handlers, apps and keys are created', async () => {
  const dialect = { createDriver: () => undefined };
  expect(() => createDurably(unchecked({ dialect, pollInterval: 5 }))).toThrow(
    'Unknown createDurably option "pollInterval"; did you mean "pollingInterval"?',
  );
  const job = { name: 'a', input: z.any(), run: () => 1 };
  expect(() => defineJob(unchecked({ ...job, outputs: z.any() }))).toThrow('did you mean "output"?');
  expect(() => createDurablyHandler(unchecked({}), unchecked({ onRequests: () => {} }))).toThrow(
    'Unknown createDurablyHandler option "onRequests"; did you mean "onRequest"?',
  );
  expect(() => createDurablyHandler(unchecked({}), unchecked({ basePath: '/' }))).toThrow('"basePath"');
  expect(() => createDurablyApp(unchecked({}), unchecked({ corsOrigin: [] }))).toThrow(
    'Unknown createDurablyApp option "corsOrigin"; did you mean "corsOrigins"?',
  );
  const pair = { name: 'a', key: 'k'.repeat(16), scopes: ['read'] };
  await expect(createApiKeys([unchecked(pair)])).rejects.toThrow('Unknown API key member "scopes"');
});
