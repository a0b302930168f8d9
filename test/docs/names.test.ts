import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readConfig } from '../../src/app/config.ts';
import type { WorkerErrorContext } from '../../src/core/errors/worker-error-context.ts';
import { EVENT_TYPES, eventCatalogue } from '../../src/core/events.ts';
import { operations } from '../../src/http/operations/index.ts';
import { exists, ROOT, readDocument, readDocuments } from './markdown.ts';

const source = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const readme = readDocument('README.md').text;

/** The texts of the cells of the tables below a heading. */
function rowsBelow(text: string, heading: string): readonly (readonly string[])[] {
  const [section = ''] = text.split(`\n## ${heading}\n`)[1]?.split('\n## ') ?? [];
  return rowsOf(section);
}

function rowsOf(text: string): readonly (readonly string[])[] {
  return [...text.matchAll(/^\|(.*)\|$/gm)]
    .map(([, cells = '']) => cells.split('|').map((cell) => cell.trim()))
    .filter(([first = '']) => !/^-+$/.test(first));
}

const isTypeScript = (path: string) => path.endsWith('.ts');

const codesIn = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);

/** The variables in a schema of the environment. */
const variablesOf = (path: string) =>
  [...source(path).matchAll(/^ {2,4}([A-Z][A-Z0-9_]+):/gm)].map(([, name = '']) => name);

describe('a variable of the environment', () => {
  const read = [
    ...variablesOf('src/app/config.ts'),
    ...variablesOf('src/entry/edge/config.ts'),
    ...variablesOf('src/cli/session.ts'),
  ];

  it('is in the table of the service if and only if the service reads it', () => {
    const shown = rowsBelow(readme, 'Configuration').flatMap(([cell]) => codesIn(cell));
    expect(shown.sort()).toEqual(variablesOf('src/app/config.ts').sort());
  });

  it('is in the table of Workers if and only if only Workers read it', () => {
    const rows = rowsBelow(readDocument('docs/workers.md').text, 'Settings');
    const shown = rows.flatMap(([cell]) => codesIn(cell));
    const edge = variablesOf('src/entry/edge/config.ts');
    for (const name of edge) expect([...shown, 'TURSO_DATABASE_URL']).toContain(name);
    for (const name of shown) expect(read).toContain(name);
  });

  it('has the default that the table shows', () => {
    const config: Readonly<Record<string, unknown>> = readConfig({});
    for (const [names, defaults] of rowsBelow(readme, 'Configuration')) {
      for (const [index, name] of codesIn(names).entries()) {
        const value = config[name];
        const isNone = value === undefined || (Array.isArray(value) && value.length === 0);
        expect(codesIn(defaults)[index], name).toBe(isNone ? undefined : String(value === false ? 0 : value));
      }
    }
  });

  it('is read by the program if a document names it', () => {
    for (const { path, text } of readDocuments()) {
      if (path === 'CHANGELOG.md') continue;
      for (const [name] of text.matchAll(/\b(DURABLY|TURSO)_[A-Z_]+\b/g)) {
        expect(read, `${name} in ${path}`).toContain(name);
      }
    }
  });
});

describe('a route', () => {
  const rows = rowsBelow(readme, 'Routes').filter(([method = '']) => /^[A-Z]+$/.test(method));
  const shown = rows.map(([method = '', cell]) => {
    const [path = '', query = ''] = (codesIn(cell)[0] ?? '').split('?');
    return { route: `${method} ${path}`, parameters: query.split('&').filter((name) => name !== '') };
  });

  it('is in the table if and only if the service has it', () => {
    const mounted = operations.map(({ method, path }) => `${method} ${path}`);
    // This route belongs to the app, in src/app/gate.ts.
    mounted.push('POST /stream-ticket');
    expect(shown.map(({ route }) => route).sort()).toEqual(mounted.sort());
  });

  it('is shown with the parameters that it accepts', () => {
    for (const { method, path, input } of operations) {
      if (input.from === 'body') continue;
      const row = shown.find(({ route }) => route === `${method} ${path}`);
      const names = row?.parameters.map((name) => (name === 'label.<key>' ? 'label' : name));
      const query = input.from === 'both' ? input.query : input.schema;
      expect(names?.sort(), path).toEqual(parametersOf(query).sort());
    }
  });
});

/** Reads the JSON Schema of a field, because the zod schema may be wrapped. */
function parametersOf(schema: z.ZodType): string[] {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return Object.keys(properties);
}

describe('an option', () => {
  const optionsOf = (path: string, name: string) => {
    const [body = ''] = source(path).split(`interface ${name}<`)[1]?.split('\n}') ?? [];
    return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??:/gm)].map(([, option = '']) => option);
  };
  const tables = readDocument('docs/library.md').text.split('\n\n');
  const shownBelow = (title: string) => {
    const table = tables.find((text) => text.startsWith(`| ${title}`)) ?? '';
    return rowsOf(table)
      .slice(1)
      .flatMap(([cell]) => codesIn(cell));
  };

  it.each([
    ['Option of `createDurably`', 'src/durably-options.ts', 'DurablyOptions'],
    ['Option of `createDurablyHandler`', 'src/http/pipeline.ts', 'CreateDurablyHandlerOptions'],
    ['`createDurablyApp` takes these too', 'src/app/create-app.ts', 'CreateDurablyAppOptions'],
  ])('is in the table "%s" if and only if it is accepted', (title, path, name) => {
    const taken = optionsOf(path, name);
    expect(taken.length).toBeGreaterThan(3);
    expect(shownBelow(title).sort()).toEqual(taken.sort());
  });
});

describe('an entry point', () => {
  it('is in the table if and only if the package has it', () => {
    const { exports } = JSON.parse(source('package.json'));
    const doors = Object.keys(exports).filter((path) => path !== './package.json');
    const shown = rowsBelow(readme, 'Use it as a library').map(([cell]) => codesIn(cell)[0]);
    expect(shown.filter((name) => name !== undefined).sort()).toEqual(
      doors.map((path) => path.replace('.', 'durably')).sort(),
    );
  });
});

describe('a name in the documentation', () => {
  const documents = readDocuments().filter(({ path }) => path !== 'CHANGELOG.md' && !path.includes('/adr/'));

  it('is a script of package.json if npm runs it', () => {
    const { scripts } = JSON.parse(source('package.json'));
    for (const { path, text } of documents) {
      for (const [, name = ''] of text.matchAll(/\bnpm run (?:--silent )?([\w-]+)/g)) {
        // The bench has its own package.json.
        if (name !== 'bench') expect(Object.keys(scripts), `npm run ${name} in ${path}`).toContain(name);
      }
    }
  });

  it('exists in the repository if it is a path', () => {
    for (const { path, text } of documents) {
      for (const [, name = ''] of text.matchAll(/`((?:src|test|data|docs|bench|scripts|\.ci)\/[\w./-]+)`/g)) {
        // The service creates its database, and the first job is written by the reader.
        if (name === 'data/durably.db' || name === 'src/jobs/greet.ts') continue;
        expect(exists(name), `${name} in ${path}`).toBe(true);
      }
    }
  });

  it('is a test file if a guarantee refers to it', () => {
    const { text } = readDocument('docs/guarantees.md');
    const tests = [
      ...text.matchAll(/`((?:app|chaos|contract|core|engine|entry|http|remote|runtime|storage)\/[a-z/-]+)`/g),
    ];
    expect(tests.length).toBeGreaterThan(60);
    for (const [, name = ''] of tests) expect(exists(`test/${name}.test.ts`), name).toBe(true);
  });
});

describe('an event', () => {
  const [, section = ''] = readDocument('docs/http.md').text.split('### The events\n');
  const rows = rowsOf(section.split('\n### ')[0] ?? '').slice(1);

  it('has a line in the table of events, with its fields', () => {
    const shown = rows.flatMap(([types, , fields]) => codesIn(types).map((type) => [type, codesIn(fields)]));
    const expected = EVENT_TYPES.flatMap((type) =>
      type === 'worker:error' ? [] : [[type, Object.keys(eventCatalogue[type].schema.shape)]],
    );
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(expected));
  });
});

describe('the context of a worker error', () => {
  // Does not compile unless it is complete.
  const typed: Readonly<Record<WorkerErrorContext, true>> = {
    'abort-listener': true,
    append: true,
    'cancel-below': true,
    claim: true,
    database: true,
    execute: true,
    feed: true,
    'hand-back': true,
    heartbeat: true,
    lease: true,
    plugin: true,
    purge: true,
    schedule: true,
    stats: true,
    telemetry: true,
  };

  it('is in the type exactly if the code reports it', () => {
    const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
    const calls = files.filter(isTypeScript).flatMap((path) => [
      // A chore says its own.
      ...source(join('src', path)).matchAll(/(?:reportWorkerError\([^;]*?|^ +)context: '([^']+)'/gm),
    ]);
    const reported = new Set(calls.map(([, context]) => context));
    expect([...reported].sort()).toEqual(Object.keys(typed).sort());
  });

  it('has a line in the table of contexts', () => {
    const table = readDocument('docs/errors.md').text.split('| `context` |')[1] ?? '';
    const shown = rowsOf(table).flatMap(([cell]) => codesIn(cell));
    expect(shown.sort()).toEqual(Object.keys(typed).sort());
  });
});
