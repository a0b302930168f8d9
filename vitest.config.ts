import { statfsSync } from 'node:fs';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { FileOrder } from './test/tooling/file-order.ts';

/** Where databases are kept in memory, a sync costs nothing: a third of the suite's time. */
const MEMORY = '/dev/shm';
const NEEDED_BYTES = 4 * 1024 ** 3;

function roomInMemory(): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= NEEDED_BYTES;
  } catch {
    return false;
  }
}

/** Files that replace modules or globals, or count calls: each has a worker of its own. */
const ISOLATED = [
  'test/plugins/tracing/**/*.test.ts',
  'test/clients/**/*.test.ts',
  'test/entry/ask-database.test.ts',
  'test/storage/sqlite/connection/read-only.test.ts',
  'test/http/walk.test.ts',
];

const isolated: TestProjectConfiguration = {
  extends: true,
  test: { name: 'isolated', include: ISOLATED },
};

/** The others share a few workers: loading the product anew for each file would take a minute and a half. */
const shared: TestProjectConfiguration = {
  extends: true,
  test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: ISOLATED, isolate: false },
};

export default defineConfig({
  test: {
    projects: [isolated, shared],
    globalSetup: 'test/tooling/generated-files.ts',
    // Processes, not threads: a panic in libSQL's native code then ends one test file and names it.
    pool: 'forks',
    // More than there are cores, because some files wait most of the time.
    maxWorkers: 4,
    sequence: { sequencer: FileOrder },
    env: roomInMemory() ? { TMPDIR: MEMORY } : {},
    // Generous: tests await states, so only a hanging one meets these.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 15_000 } },
    // Runs fail here by the hundred: what an instance without a logger says of each is noise.
    onConsoleLog: (log) => !/^durably: (run|worker) \w/.test(log),
  },
});
