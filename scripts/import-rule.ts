import { dirname, posix } from 'node:path';

/** Which rooms a room of `src/` may import from (besides itself), and which packages. `node:` stands for all builtins. */
interface Allowance {
  readonly rooms: readonly string[];
  readonly packages: readonly string[];
}

const allowances: Readonly<Record<string, Allowance>> = {
  core: { rooms: [], packages: ['fastest-levenshtein', 'ulidx', 'zod'] },
  // What belongs to a run follows its code through every room.
  'core/run-context.ts': { rooms: [], packages: ['node:async_hooks'] },
  storage: { rooms: ['core'], packages: ['kysely'] },
  'storage/sqlite': { rooms: ['core'], packages: ['kysely', 'libsql', 'node:'] },
  engine: { rooms: ['core'], packages: ['node:async_hooks', 'zod'] },
  // A signal's bound on listeners can be raised in no other way.
  'engine/guarded-signal.ts': { rooms: ['core'], packages: ['node:events'] },
  http: { rooms: ['core'], packages: ['jsonc-parser', 'zod'] },
  app: {
    rooms: ['core', 'http'],
    packages: ['@hono/zod-validator', 'fastest-levenshtein', 'hono', 'hono-rate-limiter', 'zod'],
  },
  'app/database.ts': { rooms: ['storage/sqlite'], packages: ['@libsql/client', '@libsql/kysely-libsql'] },
  jobs: {
    rooms: ['core', 'engine/define-job.ts'],
    packages: ['@libsql/client', 'csv-parse', 'node:', 'zod'],
  },
  'create-durably.ts': { rooms: ['core', 'engine', 'storage'], packages: ['kysely'] },
  'index.ts': { rooms: ['core', 'create-durably.ts', 'engine'], packages: [] },
  'server.ts': { rooms: ['core', 'http'], packages: [] },
  'sqlite.ts': { rooms: ['storage/sqlite'], packages: [] },
  'hono.ts': { rooms: ['app', 'core', 'http'], packages: ['hono'] },
  entry: {
    rooms: ['app', 'core', 'create-durably.ts', 'http', 'jobs'],
    packages: ['@hono/node-server', 'hono', 'node:', 'zod'],
  },
  // What a database answers at the start, before there is an instance to ask.
  'entry/node/ask-database.ts': { rooms: ['app', 'core', 'storage'], packages: ['kysely', 'node:'] },
  'entry/node/start-failure.ts': { rooms: ['app', 'core', 'storage'], packages: ['node:'] },
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
  for (let room = path; room !== '.'; room = dirname(room)) {
    const allowance = allowances[room];
    if (allowance !== undefined) return allowance;
  }
  return undefined;
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
