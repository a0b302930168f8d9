import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { groupBy } from '../chaos/support/group-by.ts';

const ROOT = join(import.meta.dirname, '../..');

const allowed = [
  ['core/run.ts', './step.ts'],
  ['core/run.ts', 'zod'],
  ['storage/sqlite/store.ts', '../../core/store.ts'],
  ['storage/sqlite/statements/claims/claim.ts', '../../connection/connection.ts'],
  ['storage/sqlite/file/local-file.ts', 'node:fs'],
  ['engine/runs/reads.ts', '../worker/worker.ts'],
  ['engine/worker/slots/slots.ts', '../../execution/execute-run.ts'],
  ['engine/worker/claiming/intake.ts', '../../jobs/registry.ts'],
  ['engine/execution/steps/run-step.ts', '../journal/owner-journal.ts'],
  ['engine/plugins/codec.ts', '../../core/errors/errors.ts'],
  ['engine/execution/journal/owner-journal.ts', '../../plugins/codec.ts'],
  ['plugins/metrics/metrics.ts', '../../core/plugins/plugin.ts'],
  ['plugins/metrics/metrics.ts', 'prom-client'],
  ['entry/node/log.ts', 'pino'],
  ['http/operations/run.ts', '../../core/durably.ts'],
  ['http/operations/run.ts', '../operation.ts'],
  ['app/routes.ts', 'hono/cors'],
  ['app/database.ts', '@libsql/client'],
  ['jobs/import-csv.ts', '../engine/jobs/define-job.ts'],
  ['jobs/import-csv.ts', 'node:fs/promises'],
  ['plugins/webhooks/target.ts', '../../core/run.ts'],
  ['plugins/webhooks/addresses.ts', 'ipaddr.js'],
  ['client/wait.ts', '../core/run.ts'],
  ['client.ts', './client/create-client.ts'],
  ['cli/program.ts', '../client.ts'],
  ['cli/commands/serving.ts', '../../entry/node/run.ts'],
  ['cli/program.ts', 'commander'],
  ['entry/node.ts', '../create-durably.ts'],
  ['testing/test-process.ts', '../create-durably.ts'],
  ['testing/test-process.ts', '../storage/sqlite/testing/test-database.ts'],
  ['../examples/demo/main.ts', 'durably/server'],
  ['../examples/demo/main.ts', './proof.ts'],
] as const;

const forbidden = [
  ['core/run.ts', '../storage/sqlite/store.ts'],
  ['core/errors/errors.ts', '../../engine/chores.ts'],
  ['core/run.ts', 'kysely'],
  ['core/run.ts', 'node:fs'],
  ['storage/sqlite/store.ts', '../../engine/worker/worker.ts'],
  ['storage/sqlite/connection/connection.ts', '../statements/claims/claim.ts'],
  ['storage/sqlite/store.ts', 'libsql'],
  ['engine/worker/worker.ts', '../../storage/sqlite/store.ts'],
  ['engine/worker/worker.ts', '../runs/reads.ts'],
  ['engine/execution/execute-run.ts', '../worker/worker.ts'],
  ['engine/execution/steps/run-step.ts', '../../worker/worker.ts'],
  ['engine/execution/steps/run-step.ts', '../../../jobs/import-csv.ts'],
  ['engine/events/event-bus.ts', '../execution/run-control.ts'],
  ['engine/plugins/codec.ts', '../execution/run-control.ts'],
  ['engine/plugins/codec.ts', '../events/event-bus.ts'],
  ['plugins/metrics/metrics.ts', '../../engine/events/event-bus.ts'],
  ['plugins/metrics/metrics.ts', '../../create-durably.ts'],
  ['plugins/metrics/metrics.ts', 'hono'],
  ['engine/worker/worker.ts', 'kysely'],
  ['engine/worker/worker.ts', '../../jobs/import-csv.ts'],
  ['engine/worker/slots/slots.ts', '../../runs/reads.ts'],
  ['engine/worker/claiming/intake.ts', '../worker.ts'],
  ['engine/worker/claiming/intake.ts', '../../../jobs/import-csv.ts'],
  ['http/operations/run.ts', '../../engine/worker/worker.ts'],
  ['http/operations/run.ts', '../../index.ts'],
  ['http/operations/run.ts', 'hono'],
  ['plugins/webhooks/target.ts', '../../engine/chores.ts'],
  ['plugins/webhooks/target.ts', 'kysely'],
  ['webhooks.ts', './storage/sqlite/store.ts'],
  ['app/routes.ts', '../create-durably.ts'],
  ['app/routes.ts', '@libsql/client'],
  ['jobs/import-csv.ts', '../engine/worker/worker.ts'],
  ['jobs/import-csv.ts', '../app/config.ts'],
  ['client/wait.ts', '../engine/jobs/define-job.ts'],
  ['client/wait.ts', '../http/problem.ts'],
  ['client/wait.ts', 'zod'],
  ['core/run.ts', '../client/wait.ts'],
  ['cli/program.ts', '../client/wait.ts'],
  ['cli/program.ts', '../app/config.ts'],
  ['cli/program.ts', 'kysely'],
  ['http/operations/run.ts', '../../client/wait.ts'],
  ['server.ts', './engine/worker/worker.ts'],
  ['testing/test-process.ts', '../storage/sqlite/statements/claims/claim.ts'],
  ['testing.ts', './engine/worker/worker.ts'],
  ['create-durably.ts', './http/sse.ts'],
  ['entry/node.ts', 'kysely'],
  ['storage/sqlite/store.ts', '../../../scripts/sql-statements.ts'],
  ['../examples/demo/main.ts', '../../src/index.ts'],
  ['../examples/demo/main.ts', '../hono-app/app.ts'],
] as const;

/** The imports that the linter refuses, as `file < specifier`. */
function refused(imports: readonly (readonly [file: string, specifier: string])[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'import-rule-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  copyFileSync(join(ROOT, 'import-rule.json'), join(folder, 'import-rule.json'));
  writeFileSync(join(folder, 'biome.json'), '{ "root": true, "extends": ["./import-rule.json"] }');
  const byFile = groupBy(imports, ([file]) => file);
  for (const [file, ofFile] of byFile) {
    const path = join(folder, 'src', file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, ofFile.map(([, specifier]) => `import '${specifier}';\n`).join(''));
  }
  const biome = join(ROOT, 'node_modules/.bin/biome');
  const args = ['lint', '--only=style/noRestrictedImports', '--reporter=json', '--max-diagnostics=none'];
  const { stdout } = spawnSync(biome, [...args, 'src', 'examples'], { cwd: folder, encoding: 'utf8' });
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { location: { path: string; start: { line: number } } }[];
  };
  return diagnostics.map(({ location: { path, start } }) => {
    const file = posix.relative('src', path);
    return `${file} < ${byFile.get(file)?.[start.line - 1]?.[1]}`;
  });
}

test('the import rule refuses exactly the imports that a folder may not have', () => {
  expect(refused([...allowed, ...forbidden]).sort()).toEqual(
    forbidden.map(([file, specifier]) => `${file} < ${specifier}`).sort(),
  );
});
