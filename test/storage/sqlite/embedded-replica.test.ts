import { createClient } from '@libsql/client';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import { expect, onTestFinished, test } from 'vitest';
import { createDurably, ValidationError } from '../../../src/index.ts';
import { openRemote } from '../../../src/remote.ts';
import { openDatabase } from '../../../src/sqlite.ts';
import { rejectionOf } from '../../support/runs.ts';
import { temporaryFile } from '../../support/temporary-file.ts';

const syncUrl = 'http://127.0.0.1:1';
const REFUSAL = /^syncUrl is not supported: an embedded replica answers outdated rows/;

test('openRemote and openDatabase refuse an embedded replica by name', async () => {
  const remote = { url: 'http://127.0.0.1:1', syncUrl };
  expect(() => openRemote(remote)).toThrow(ValidationError);
  expect(() => openRemote(remote)).toThrow(REFUSAL);
  const local = { url: `file:${temporaryFile()}`, syncUrl };
  const refusal = await rejectionOf(openDatabase(local));
  expect(refusal).toBeInstanceOf(ValidationError);
  expect(refusal.message).toMatch(REFUSAL);
});

/** What a client of `@libsql/client` answers to `sync()` if it has a `syncUrl`; others refuse it. */
const synchronized = async () => ({ frames_synced: 0, frame_no: 0 });

test('init and every read refuse a client that can be synchronized, since only an embedded replica can', async () => {
  const client = createClient({ url: `file:${temporaryFile()}` });
  onTestFinished(() => client.close());
  const dialect = new LibsqlDialect({ client: Object.assign(client, { sync: synchronized }) });
  const durably = createDurably({ dialect });
  for (const call of [() => durably.init(), () => durably.getRuns()]) {
    const refusal = await rejectionOf(call());
    expect(refusal).toBeInstanceOf(ValidationError);
    expect(refusal.message).toMatch(REFUSAL);
  }
});

test('a client of a file is not mistaken for an embedded replica', async () => {
  const client = createClient({ url: `file:${temporaryFile()}` });
  onTestFinished(() => client.close());
  const durably = createDurably({ dialect: new LibsqlDialect({ client }) });
  await durably.migrate();
  expect(await durably.getRuns()).toEqual([]);
});
