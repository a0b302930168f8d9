import { describe, expect, test } from 'vitest';
import { findForbiddenImports } from '../../scripts/import-rule.ts';

const importing = (path: string, specifier: string) =>
  findForbiddenImports([{ path, text: `import { x } from '${specifier}';\n` }]);

describe('the import rule', () => {
  test.each([
    ['core/run.ts', './step.ts'],
    ['core/run.ts', 'zod'],
    ['storage/store.ts', '../core/store.ts'],
    ['storage/store.ts', 'kysely'],
    ['http/operations/run.ts', '../../core/durably.ts'],
    ['http/operations/run.ts', '../operation.ts'],
    ['app/routes.ts', 'hono/cors'],
    ['app/database.ts', '@libsql/client'],
    ['jobs/import-csv.ts', '../engine/define-job.ts'],
    ['jobs/import-csv.ts', 'node:fs/promises'],
    ['entry/node.ts', '../create-durably.ts'],
  ])('lets %s import %s', (path, specifier) => {
    expect(importing(path, specifier)).toEqual([]);
  });

  test.each([
    ['core/run.ts', '../storage/rows.ts'],
    ['core/run.ts', 'kysely'],
    ['core/run.ts', 'node:fs'],
    ['storage/store.ts', '../engine/worker.ts'],
    ['engine/worker.ts', '../storage/store.ts'],
    ['engine/worker.ts', 'kysely'],
    ['http/operations/run.ts', '../../engine/worker.ts'],
    ['http/operations/run.ts', '../../index.ts'],
    ['http/operations/run.ts', 'hono'],
    ['app/routes.ts', '../create-durably.ts'],
    ['app/routes.ts', '@libsql/client'],
    ['jobs/import-csv.ts', '../engine/worker.ts'],
    ['jobs/import-csv.ts', '../app/config.ts'],
    ['server.ts', './engine/worker.ts'],
    ['create-durably.ts', './http/sse.ts'],
    ['entry/node.ts', 'kysely'],
    ['storage/store.ts', '../../scripts/sql-statements.ts'],
  ])('forbids %s to import %s', (path, specifier) => {
    expect(importing(path, specifier)).toEqual([`src/${path}: may not import '${specifier}'`]);
  });

  test.each([
    "import type { X } from '../engine/worker.ts';",
    "import {\n  x,\n  type Y,\n} from '../engine/worker.ts';",
    "export { x } from '../engine/worker.ts';",
    "import '../engine/worker.ts';",
    "const x = await import('../engine/worker.ts');",
    "type X = import('../engine/worker.ts').X;",
  ])('sees %s', (text) => {
    expect(findForbiddenImports([{ path: 'storage/store.ts', text }])).toHaveLength(1);
  });

  test('does not see comments', () => {
    const text = "// from '../engine/a.ts'\n/**\n * import { x } from '../engine/a.ts'\n */\n";
    expect(findForbiddenImports([{ path: 'storage/store.ts', text }])).toEqual([]);
  });

  test('asks for a rule when a room is new', () => {
    expect(findForbiddenImports([{ path: 'attic/box.ts', text: '' }])).toEqual([
      'src/attic/box.ts: no rule says what this room may import',
    ]);
  });
});
