import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { buildOnce, ROOT } from './builds.ts';
import { compileWithPackages, OPTIONS, storeCode } from './compiled.ts';

/** The programs of the examples that tests start. Readers start them with `npx tsx`, which loads the sources one by one. */
const PROGRAMS = [
  'approval/main',
  'hono-app/main',
  'nightly-import/main',
  'streaming-agent/main',
  'streaming-agent/read',
] as const;

export type ExampleProgram = (typeof PROGRAMS)[number];

/** What the programs of users import, by the name that they use. */
const DOORS: Readonly<Record<string, string>> = {
  durably: 'src/index.ts',
  'durably/hono': 'src/hono.ts',
  'durably/server': 'src/server.ts',
  'durably/sqlite': 'src/sqlite.ts',
};
const PACKAGES = [
  '@hono/node-server',
  '@libsql/client',
  '@libsql/kysely-libsql',
  'csv-parse/sync',
  'eventsource',
  'hono',
  'zod',
];

/** Takes packages from a file beside the program, which contains all of them. */
const PACKAGES_BESIDE: Plugin = {
  name: 'packages beside',
  setup: ({ onResolve, onLoad }) => {
    const names = [...Object.keys(DOORS), ...PACKAGES];
    onResolve({ filter: /^[@a-z]/ }, ({ path }) =>
      names.includes(path) ? { path, namespace: 'packages' } : undefined,
    );
    onLoad({ filter: /./, namespace: 'packages' }, ({ path }) => ({
      contents: `module.exports = packages[${JSON.stringify(path)}];`,
    }));
  },
};

const folder = await buildOnce({ sources: ['examples'], build: compileAll });

/** The file of a program of an example, compiled once for each state of the sources. */
export function builtExample(program: ExampleProgram): string {
  return join(folder, `${program}.js`);
}

/** A module that exports what users import, as `packages` by name. It takes a third of the time to load. */
export function builtPackages(): string {
  return join(folder, 'packages.js');
}

async function compileAll(outdir: string): Promise<void> {
  const sources = [
    ...Object.entries(DOORS).map(([name, path]) => [name, `./${path}`]),
    ...PACKAGES.map((name) => [name, name]),
  ];
  const imports = sources.map(([, path], i) => `import * as package${i} from ${JSON.stringify(path)};`);
  const entries = sources.map(([name], i) => `${JSON.stringify(name)}: package${i}`);
  const contents = [...imports, `export const packages = { ${entries.join(', ')} };`].join('\n');
  await compileWithPackages({
    ...{ outdir, name: 'packages', exported: 'packages' },
    stdin: { contents, resolveDir: ROOT },
  });
  for (const program of PROGRAMS) {
    await build({
      ...OPTIONS,
      outfile: join(outdir, `${program}.js`),
      entryPoints: [`examples/${program}.ts`],
      plugins: [PACKAGES_BESIDE],
      banner: { js: "import { packages } from '../packages.js';" },
    });
  }
  await storeCode(join(outdir, 'hono-app/main.js'), { env: { DATA: outdir } });
  rmSync(join(outdir, 'durably.db'));
}
