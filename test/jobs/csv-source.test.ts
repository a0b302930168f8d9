import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MAX_FILE_BYTES, readFileInside, staysInside } from '../../src/jobs/import-csv/source.ts';

describe('reading a file of the data folder', () => {
  let root: string;
  let dataDir: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'durably-source-'));
    dataDir = join(root, 'data');
    mkdirSync(join(dataDir, 'deep'), { recursive: true });
    writeFileSync(join(dataDir, 'deep', 'a.csv'), 'inside');
    writeFileSync(join(root, 'secret.csv'), 'outside');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  test.each(['deep/a.csv', './deep/a.csv', 'deep/../deep/a.csv'])('reads %s', async (file) => {
    expect((await readFileInside(dataDir, file)).toString()).toBe('inside');
  });

  test('follows links that stay inside, also those above the folder itself', async () => {
    symlinkSync(join(dataDir, 'deep', 'a.csv'), join(dataDir, 'link.csv'));
    symlinkSync(dataDir, join(root, 'alias'));
    expect((await readFileInside(join(root, 'alias'), 'link.csv')).toString()).toBe('inside');
  });

  test.each(['..', '.', '../secret.csv', 'deep/../../secret.csv', '/etc/hostname', 'C:\\a.csv', 'a\0b'])(
    'refuses %j',
    async (file) => {
      expect(staysInside(file)).toBe(false);
      await expect(readFileInside(dataDir, file)).rejects.toThrow('lies outside the data folder');
    },
  );

  test('accepts a file name that begins with two dots', () => {
    expect(staysInside('..a.csv')).toBe(true);
  });

  test('refuses links that lead outside', async () => {
    symlinkSync(join(root, 'secret.csv'), join(dataDir, 'link.csv'));
    symlinkSync(root, join(dataDir, 'up'));
    await expect(readFileInside(dataDir, 'link.csv')).rejects.toThrow(
      'link.csv: lies outside the data folder',
    );
    await expect(readFileInside(dataDir, 'up/secret.csv')).rejects.toThrow('lies outside the data folder');
  });

  test('refuses a missing file, a folder and a pipe', async () => {
    execFileSync('mkfifo', [join(dataDir, 'pipe')]);
    await expect(readFileInside(dataDir, 'none.csv')).rejects.toThrow('none.csv: no such file');
    await expect(readFileInside(dataDir, 'deep')).rejects.toThrow('deep: not a file');
    await expect(readFileInside(dataDir, 'pipe')).rejects.toThrow('pipe: not a file');
  });

  test('refuses a file above the size limit before it reads it', async () => {
    writeFileSync(join(dataDir, 'large.csv'), '');
    truncateSync(join(dataDir, 'large.csv'), MAX_FILE_BYTES + 1);
    await expect(readFileInside(dataDir, 'large.csv')).rejects.toThrow('large.csv: larger than');
  });
});
