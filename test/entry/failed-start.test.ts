import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import Database from 'libsql';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../app/temporary.ts';
import { launcherBelowModes } from '../chaos/machine/below-modes.ts';
import { failedStart } from '../support/processes/spawn-service.ts';

/** The single line that a failed start prints. */
async function lineOf(env: Record<string, string>, launcher: readonly string[] = []): Promise<string> {
  const { code, signal, stderr } = await failedStart(env, launcher);
  expect({ code, signal }, stderr).toEqual({ code: 1, signal: null });
  expect(stderr.trim().split('\n')).toHaveLength(1);
  return stderr;
}

it('names the address of an unreachable server, without its secrets', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const line = await lineOf({ TURSO_DATABASE_URL: `http://127.0.0.1:${port}/?authToken=sekret` });
  expect(line).toMatch(/TURSO_DATABASE_URL=http:\/\/127\.0\.0\.1:\d+\/.*ECONNREFUSED.*start that server/);
  expect(line).not.toContain('sekret');
});

it('refuses a database address with a password, and does not repeat it', async () => {
  const line = await lineOf({ TURSO_DATABASE_URL: 'libsql://user:hunter2@127.0.0.1:1/x' });
  expect(line).toMatch(/TURSO_DATABASE_URL must hold no user name.*TURSO_AUTH_TOKEN/);
  expect(line).not.toMatch(/user:|hunter2/);
});

it('says that a folder is a file, and that a file is a folder', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'notes'), 'x');
  await mkdir(join(folder, 'd.db'));
  expect(await lineOf({ TURSO_DATABASE_URL: 'file:a%zz.db' })).toMatch(
    /a file: URL has %25 in place of %.*TURSO_DATABASE_URL=file:a%zz\.db: correct the address/,
  );
  expect(await lineOf({ TURSO_DATABASE_URL: `file:${folder}/notes/d.db` })).toMatch(
    /notes is a file, not a folder: TURSO_DATABASE_URL=.*: name a file in a folder$/m,
  );
  expect(await lineOf({ TURSO_DATABASE_URL: `file:${folder}/d.db` })).toMatch(
    /d\.db: it is a folder, not a file: TURSO_DATABASE_URL=.*: name a file in that folder$/m,
  );
});

it('names the file or folder that is read-only', async ({ skip }) => {
  const folder = await temporaryFolder();
  const launcher = launcherBelowModes(folder);
  if (launcher === undefined) return skip('nothing is read-only to the superuser here');
  const path = join(folder, 'd.db');
  for (const [readOnly, mode, named] of [
    [path, 0o444, path],
    [`${path}-wal`, 0o444, `${path}-wal`],
    [folder, 0o555, folder],
  ] as const) {
    for (const each of [path, `${path}-wal`]) await writeFile(each, '');
    await chmod(readOnly, mode);
    const line = await lineOf({ TURSO_DATABASE_URL: `file:${path}` }, launcher);
    await chmod(readOnly, 0o755);
    expect(line).toContain(`let the user of this process read and write ${named}, or name another place`);
  }
});

it("names PORT and HOST if it can't listen, and does not touch the database", async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const folder = await temporaryFolder();
  const TURSO_DATABASE_URL = `file:${folder}/d.db`;
  expect(await lineOf({ TURSO_DATABASE_URL, PORT: String(port) })).toMatch(
    new RegExp(`HOST=127.0.0.1, PORT=${port} \\(EADDRINUSE\\): .*set another PORT`),
  );
  expect(await lineOf({ TURSO_DATABASE_URL, HOST: '192.0.2.1', DURABLY_INSECURE: '1', PORT: '9' })).toMatch(
    /HOST=192\.0\.2\.1.*EADDRNOTAVAIL/,
  );
});

it('names the setting of a database that is newer', async () => {
  const folder = await temporaryFolder();
  const database = new Database(join(folder, 'd.db'));
  database.exec(
    "create table durably_schema_versions (version integer primary key, name text, applied_at integer); insert into durably_schema_versions values (999, 'x', 0)",
  );
  database.close();
  expect(await lineOf({ TURSO_DATABASE_URL: `file:${folder}/d.db` })).toMatch(
    /version 999.*TURSO_DATABASE_URL=file:.*name a database/,
  );
});
