import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createDurably } from '../../../../src/index.ts';
import { DatabaseOpenError, openDatabase } from '../../../../src/sqlite.ts';
import { echo } from '../../../support/jobs.ts';
import { rejectionOf } from '../../../support/runs.ts';
import { temporaryFile } from '../../../support/temporary-file.ts';

/** A folder that holds what the test puts into it. */
const folder = () => dirname(temporaryFile());

async function opened(path: string) {
  const database = await openDatabase({ url: `file:${path}` });
  onTestFinished(() => database.close());
  return createDurably({ dialect: database.dialect });
}

test('opens a file by a symbolic link, and by a linked folder', async () => {
  const place = folder();
  mkdirSync(join(place, 'real'));
  const file = join(place, 'real', 'data.db');
  writeFileSync(file, '');
  symlinkSync('real/data.db', join(place, 'link.db'));
  symlinkSync('link.db', join(place, 'second.db'));
  symlinkSync('real', join(place, 'folder'));
  for (const name of ['second.db', 'link.db', 'folder/data.db', 'folder/new.db']) {
    const durably = await opened(join(place, name));
    await durably.migrate();
    const { echo: handle } = durably.register({ echo });
    await handle.trigger(name);
    expect((await durably.getRuns())[0]?.payload).toBe(name);
  }
  expect(existsSync(`${file}-wal`)).toBe(true);
  expect(existsSync(join(place, 'real', 'new.db'))).toBe(true);
  expect(lstatSync(join(place, 'link.db')).isSymbolicLink()).toBe(true);
  expect(existsSync(join(place, 'link.db-wal'))).toBe(false);
});

test.each([
  ['a link to nothing', 'dangling.db', 'it is a symbolic link to nowhere.db, which does not exist'],
  ['a link to itself', 'loop.db', 'it is a symbolic link that leads back to itself (ELOOP)'],
  ['a link to a folder', 'folder.db', 'it is a folder, not a file'],
  ['a name that is too long', `${'n'.repeat(300)}.db`, 'its name is too long'],
  ['a name that is too long for a log', 'n'.repeat(252), 'its name is too long'],
  ['a pipe', 'pipe.db', 'it is a pipe or a device, not a file'],
])('refuses %s, and says why', async (_, name, message) => {
  const place = folder();
  symlinkSync('nowhere.db', join(place, 'dangling.db'));
  symlinkSync('loop.db', join(place, 'loop.db'));
  symlinkSync('.', join(place, 'folder.db'));
  execFileSync('mkfifo', [join(place, 'pipe.db')]);
  const refused = await rejectionOf(openDatabase({ url: `file:${join(place, name)}` }));
  expect(refused).toBeInstanceOf(DatabaseOpenError);
  expect(refused.message).toContain(message);
  expect(refused.message).not.toMatch(/undefined|read-only/);
});
