import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Processes, not threads: a panic in libSQL's native code then ends one test file and names it.
    pool: 'forks',
    maxWorkers: 2,
    // Generous: tests await states, so only a hanging one meets these.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Runs fail here by the hundred: what an instance without a logger says of each is noise.
    onConsoleLog: (log) => !/^durably: (run|worker) \w/.test(log),
  },
});
