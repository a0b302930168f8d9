import { dirname, posix } from 'node:path';

/** Which rooms a room of `src/` may import from (besides itself), and which packages. `node:` stands for all builtins. */
interface Allowance {
  readonly rooms: readonly string[];
  readonly packages: readonly string[];
}

const allowances: Readonly<Record<string, Allowance>> = {
  core: { rooms: [], packages: ['fastest-levenshtein', 'ulidx', 'zod'] },
  storage: { rooms: ['core'], packages: ['kysely'] },
  engine: { rooms: ['core'], packages: ['node:async_hooks', 'zod'] },
  http: { rooms: ['core'], packages: ['jsonc-parser', 'zod'] },
  app: { rooms: ['core', 'http'], packages: ['@hono/zod-validator', 'hono', 'hono-rate-limiter', 'zod'] },
  'app/database.ts': {
    rooms: ['core'],
    packages: ['@libsql/client', '@libsql/kysely-libsql', 'kysely', 'node:'],
  },
  'app/local-database.ts': { rooms: [], packages: ['kysely', 'libsql'] },
  jobs: {
    rooms: ['core', 'engine/define-job.ts'],
    packages: ['@libsql/client', 'csv-parse', 'node:', 'zod'],
  },
  'create-durably.ts': { rooms: ['core', 'engine', 'storage'], packages: ['kysely'] },
  'index.ts': { rooms: ['core', 'create-durably.ts', 'engine'], packages: [] },
  'server.ts': { rooms: ['core', 'http'], packages: [] },
  'hono.ts': { rooms: ['app', 'core', 'http'], packages: ['hono'] },
  entry: {
    rooms: ['app', 'core', 'create-durably.ts', 'http', 'jobs'],
    packages: ['@hono/node-server', 'hono', 'node:', 'zod'],
  },
  'entry/edge/database.ts': { rooms: [], packages: ['@libsql/client', '@libsql/kysely-libsql'] },
};

export interface SourceFile {
  /** Below `src/`, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const COMMENT = /^\s*(?:\/\/.*|\/\*[\s\S]*?\*\/)/gm;
const SPECIFIER = /\b(?:from|import)\s*\(?\s*(['"])(?<specifier>[^'"\n]+)\1/g;

/** Says which imports break the rule of the house (who may import whom), one line each. */
export function findForbiddenImports(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    const allowance = allowanceOf(path);
    if (allowance === undefined) return [`src/${path}: no rule says what this room may import`];
    return specifiersOf(text)
      .filter((specifier) => !isAllowed(path, specifier, allowance))
      .map((specifier) => `src/${path}: may not import '${specifier}'`);
  });
}

function specifiersOf(text: string): string[] {
  return [...text.replace(COMMENT, '').matchAll(SPECIFIER)].map((match) => match.groups?.specifier ?? '');
}

function allowanceOf(path: string): Allowance | undefined {
  return allowances[path] ?? allowances[path.split('/', 1)[0] ?? ''];
}

function isAllowed(path: string, specifier: string, allowance: Allowance): boolean {
  if (!specifier.startsWith('.')) return allowance.packages.some((name) => isOfPackage(specifier, name));
  const target = posix.join(dirname(path), specifier);
  return (
    isBelow(target, path.split('/', 1)[0] ?? '') || allowance.rooms.some((room) => isBelow(target, room))
  );
}

function isOfPackage(specifier: string, name: string): boolean {
  return name.endsWith(':') ? specifier.startsWith(name) : isBelow(specifier, name);
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
