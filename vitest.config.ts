import { statfsSync } from 'node:fs';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';

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

/** Files that start processes, or replace modules: each has a worker of its own. */
const ISOLATED = [
  'test/chaos/**/*.test.ts',
  'test/docs/**/*.test.ts',
  'test/entry/**/*.test.ts',
  'test/examples/**/*.test.ts',
  'test/runtime/**/*.test.ts',
  'test/clients/**/*.test.ts',
  'test/storage/sqlite/connection/read-only.test.ts',
  'test/app/service/**/*.test.ts',
  'test/remote/service.test.ts',
];

const isolated: TestProjectConfiguration = {
  extends: true,
  test: { name: 'processes', include: ISOLATED },
};

/** The others share a few workers: loading the product anew for each file would take a minute and a half. */
const shared: TestProjectConfiguration = {
  extends: true,
  test: { name: 'library', include: ['test/**/*.test.ts'], exclude: ISOLATED, isolate: false },
};

export default defineConfig({
  test: {
    projects: [isolated, shared],
    // Processes, not threads: a panic in libSQL's native code then ends one test file and names it.
    pool: 'forks',
    // One more than there are cores where tests wait for something now and then.
    maxWorkers: 3,
    env: roomInMemory() ? { TMPDIR: MEMORY } : {},
    // Generous: tests await states, so only a hanging one meets these.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Runs fail here by the hundred: what an instance without a logger says of each is noise.
    onConsoleLog: (log) => !/^durably: (run|worker) \w/.test(log),
  },
});
