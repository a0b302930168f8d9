/** Fails when a file below src/ imports from a room or package that the rule of the house denies it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findForbiddenImports } from './import-rule.ts';

const paths = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((path) =>
  path.endsWith('.ts'),
);
const files = paths.map((path) => ({
  path: path.replaceAll('\\', '/'),
  text: readFileSync(join('src', path), 'utf8'),
}));
const forbidden = findForbiddenImports(files);
for (const line of forbidden) console.error(line);
if (forbidden.length > 0) process.exitCode = 1;
else console.log(`${files.length} files keep the import rule`);
