/** Runs the workloads given on the command line and writes RESULTS.md. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GivenDatabase } from '../test/support/given-database.ts';
import { Bench } from './bench.ts';
import { readCommandLine } from './command-line.ts';
import type { ContenderName } from './contenders/index.ts';
import { labels } from './contenders/index.ts';
import { Child } from './processes/child.ts';
import { describeMachine, loadAverage } from './report/machine.ts';
import { writeResults } from './report/results.ts';
import { resultsFile } from './results-file.ts';

const command = readCommandLine();
const folder = mkdtempSync(join(tmpdir(), 'durably-bench-'));
const remove = () => {
  Child.endAll();
  rmSync(folder, { recursive: true, force: true });
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    remove();
    process.exit(1);
  });
}

try {
  await run();
} finally {
  remove();
}

async function run(): Promise<void> {
  const database = command.database === undefined ? undefined : await GivenDatabase.open(command.database);
  const { isQuick, rounds } = command;
  const bench = new Bench({ folder, isQuick, rounds, database, log: console.log });
  const machine = describeMachine(folder);
  const start = Date.now();
  const settings = await readSettings();
  for (const workload of command.workloads) {
    console.log(`\n▸ ${workload.title}`);
    await workload.run(bench);
  }
  database?.close();
  const results = writeResults({
    samples: bench.samples,
    failures: bench.failures,
    workloads: command.workloads,
    machine,
    settings,
    run: [
      `Load average at the end: ${loadAverage()}`,
      `Started ${new Date(start).toISOString()}, took ${Math.round((Date.now() - start) / 1000)} s`,
      `Command: \`npm run bench${process.argv
        .slice(2)
        .map((arg) => ` ${arg}`)
        .join('')}\`${command.isQuick ? ': reduced scale, fit for a look and for nothing else' : ''}`,
    ],
  });
  writeFileSync(resultsFile, results);
  console.log(`\n${results}`);
}

/** Describes each contender, in its own process. */
async function readSettings() {
  const settings: { contender: string; told: string }[] = [];
  for (const name of Object.keys(labels).filter((label) => label !== 'bare') as ContenderName[]) {
    const child = new Child();
    const told = await child.call('describe', { contender: name, folder }).then(
      ({ journalMode, synchronous }) => `journal_mode=${journalMode}, synchronous=${synchronous}`,
      (error: unknown) => `cannot run here: ${String(error)}`,
    );
    child.end();
    settings.push({ contender: name, told });
  }
  return settings;
}
