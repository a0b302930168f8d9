import type { Kysely } from 'kysely';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { reachServer } from '../../src/entry/node/ask-database.ts';
import { StartError } from '../../src/entry/node/start-failure.ts';
import { rejectionOf } from '../support/runs.ts';

vi.mock('node:timers/promises', () => ({ setTimeout: async () => undefined }));

const URL = 'http://127.0.0.1:1';
let nowMs = 0;

beforeEach(() => {
  // The process was slow to start: its time to reach a server is over before the first attempt.
  nowMs = 10_000;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  onTestFinished(() => void vi.restoreAllMocks());
});

/** A server that fails each attempt in this way, and how often it was tried. */
async function triesOf(fail: () => Error): Promise<number> {
  let tries = 0;
  const executeQuery = async () => {
    tries++;
    throw fail();
  };
  const db = { executeQuery } as unknown as Kysely<unknown>;
  expect(await rejectionOf(reachServer(db, { TURSO_DATABASE_URL: URL }))).toBeInstanceOf(StartError);
  return tries;
}

const withCode = (code: string) =>
  new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) });

test('a server that refuses connections is tried at least twice', async () => {
  expect(await triesOf(() => withCode('ECONNREFUSED'))).toBe(2);
});

test('a server that was reached and broke the connection is tried at least eight times', async () => {
  expect(await triesOf(() => withCode('ECONNRESET'))).toBe(8);
});

test('a server that was silent is not tried again', async () => {
  const silent = () => {
    nowMs += 5_000;
    return new Error('the database has not answered within 5000 ms');
  };
  expect(await triesOf(silent)).toBe(1);
});
