/**
 * Runs all checks, part by part. It stops at the first part that fails and names it in the last line. `npm run
 * check -- types package` runs only those parts.
 */
import { spawnSync } from 'node:child_process';

const parts: Readonly<Record<string, string>> = {
  'format and lint': 'biome check --error-on-warnings',
  spelling: 'cspell lint --no-progress --no-summary',
  unused: 'knip',
  duplication: 'tsx scripts/check-duplication.ts',
  types: 'tsc -p . && tsc -p examples',
  migrations: 'npm run --silent migrations -- --check',
  openapi: 'npm run --silent openapi -- --check',
  package: 'tsx scripts/check-package.ts',
  worker: 'tsx scripts/check-worker.ts',
  container: 'tsx scripts/check-container.ts',
  tests: 'npm test --silent',
};

const asked = process.argv.slice(2);
const unknown = asked.find((part) => parts[part] === undefined);
if (unknown !== undefined) {
  console.error(`no part "${unknown}"; there are: ${Object.keys(parts).join(', ')}`);
  process.exit(2);
}

for (const [part, command] of Object.entries(parts)) {
  if (asked.length > 0 && !asked.includes(part)) continue;
  console.log(`\n▸ ${part}: ${command}`);
  const { status, signal } = spawnSync(command, { shell: true, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) {
    console.error(`\n✗ check failed at ${part} (${command}): ${signal ?? `exit ${status}`}`);
    process.exit(1);
  }
}
console.log(`\n✓ check passed`);
