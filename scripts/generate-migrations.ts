/**
 * npm run migrations                      compiles migrations/sqlite/*.sql into a TypeScript module
 * npm run migrations -- --check           fails when that module is stale
 * npm run migrations -- --new add_thing   begins the next migration
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeOrCheck } from './generated-file.ts';
import { nextFileName, readMigrationFiles, readOptionalParts, renderMigrations } from './migration-files.ts';

const FOLDER = 'migrations/sqlite';

try {
  const { values } = parseArgs({ options: { check: { type: 'boolean' }, new: { type: 'string' } } });
  if (values.new === undefined) {
    writeOrCheck({
      path: 'src/storage/sqlite/migrations/migrations.generated.ts',
      content: renderMigrations(readMigrationFiles(FOLDER), readOptionalParts(join(FOLDER, 'optional'))),
      command: 'npm run migrations',
      check: values.check === true,
    });
  } else {
    const path = join(FOLDER, nextFileName(FOLDER, values.new));
    writeFileSync(path, '-- What changes, and why.\n', { flag: 'wx' });
    console.log(`created ${path}: write its SQL, then run \`npm run migrations\``);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
