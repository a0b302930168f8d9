import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Block, fileNameOf, ROOT } from './markdown.ts';

/**
 * Declarations for names that fragments use without importing them, as a reader would have them. Complete
 * programs don't need these.
 */
const PRELUDES: Readonly<Record<string, string>> = {
  z: "import { z } from 'zod';",
  defineJob: "import { defineJob } from 'durably';",
  createDurably: "import { createDurably } from 'durably';",
  openDatabase: "import { openDatabase } from 'durably/sqlite';",
  openRemote: "import { openRemote } from 'durably/remote';",
  createDurablyHandler: "import { createDurablyHandler } from 'durably/server';",
  RequestError: "import { RequestError } from 'durably/server';",
  createDurablyApp: "import { createDurablyApp } from 'durably/hono';",
  createApiKeys: "import { createApiKeys } from 'durably/hono';",
  createTestDurably: "import { createTestDurably } from 'durably/testing';",
  t: "declare const t: import('durably/testing').TestDurably;",
  greet:
    "declare const greet: import('durably').JobDefinition<'greet', { name: string }, { name: string }, { text: string }>;",
  serve: "import { serve } from '@hono/node-server';",
  client:
    "declare const client: import('durably/client').DurablyClient<{ readonly importCsv: { readonly name: 'import-csv' } }>;",
  durably: "declare const durably: import('durably').Durably;",
  dialect: "declare const dialect: import('durably').DurablyOptions['dialect'];",
  step: "declare const step: import('durably').StepContext;",
  userOf: 'declare function userOf(request: Request): Promise<{ jobs: string[] } | null>;',
  fetchUser:
    'declare function fetchUser(id: string, init: { signal: AbortSignal }): Promise<{ name: string }>;',
  secrets: 'declare const secrets: { dashboardKey: string; encryptionKey: string };',
  id: 'declare const id: string;',
  runId: 'declare const runId: string;',
};

const PACKAGES_OF_A_USER = [
  'zod',
  'hono',
  'kysely',
  '@hono/node-server',
  '@libsql/client',
  'standardwebhooks',
];
/** The packages in a project that contains the documentation's examples. */
export const PACKAGES: readonly string[] = [
  ...PACKAGES_OF_A_USER,
  '@libsql/kysely-libsql',
  '@opentelemetry/api',
  '@opentelemetry/exporter-trace-otlp-http',
  '@opentelemetry/instrumentation-undici',
  '@opentelemetry/resources',
  '@opentelemetry/sdk-trace-node',
  '@types/node',
  'undici-types',
  'typescript',
];

/** Every `@example` in the sources, as a block. */
export function examplesInSources(): readonly Block[] {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  return files
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => {
      const text = readFileSync(join(ROOT, 'src', name), 'utf8');
      return [...text.matchAll(/@example\b([\s\S]*?)(?=\*\/|^\s*\* @(?!example))/gm)].map((match) => ({
        document: `src/${name}`,
        line: text.slice(0, match.index).split('\n').length,
        language: 'ts',
        code: (match[1] ?? '').replace(/^\s*\* ?/gm, '').trim(),
      }));
    });
}

/**
 * Saves a block as a module of the project. The file is named after the block's position, unless the block
 * names a file.
 */
export function saveBlock(folder: string, block: Block): void {
  const { document, line, code } = block;
  const name = fileNameOf(block) ?? `${document.replace(/\W/g, '_')}_line_${line}.ts`;
  const preludes = Object.entries(PRELUDES)
    .filter(([identifier]) => isUsedAlone(identifier, code))
    .map(([, prelude]) => prelude);
  writeFileSync(join(folder, name), [code, ...preludes, 'export {};', ''].join('\n'));
}

/** Whether code uses a name without declaring it, importing it or receiving it as an argument. */
function isUsedAlone(identifier: string, code: string): boolean {
  const isDeclared = new RegExp(
    `\\b(const|let|function|class) ${identifier}\\b|\\bconst \\{[^}]*\\b${identifier}\\b[^}]*\\} =|import[^;'"]*\\b${identifier}\\b[^;'"]*from|\\(\\{? ?${identifier}\\b[^()]*\\) =>`,
  );
  return new RegExp(`(?<![.\\w'/-])${identifier}\\b(?!['/]|: )`).test(code) && !isDeclared.test(code);
}

/** Compiles the project with `tsc --strict` and returns the errors. */
export async function compile(folder: string): Promise<string> {
  const compilerOptions = {
    target: 'es2023',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    allowJs: true,
    checkJs: true,
    rewriteRelativeImportExtensions: true,
    rootDir: '.',
    outDir: 'out',
  };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, include: ['*.ts', '*.mjs'] }),
  );
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  try {
    await promisify(execFile)(process.execPath, [tsc, '-p', '.', '--singleThreaded'], { cwd: folder });
    return '';
  } catch (error) {
    if (error instanceof Error && 'stdout' in error && String(error.stdout) !== '')
      return String(error.stdout);
    throw error;
  }
}
