import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { buildOnce, ROOT } from './builds.ts';
import { compileWithPackages, OPTIONS, storeCode } from './compiled.ts';

/** What the programs import and all of its packages. */
const SERVICE = 'src/entry/node/run.ts';

/** Leaves the service out of a program, which imports it from a file beside it. */
const serviceBeside = (file: string): Plugin => ({
  name: 'service beside',
  setup: ({ onResolve }) => {
    onResolve({ filter: /\/node\/run\.ts$/ }, () => ({ path: file, external: true }));
  },
});

const CHAOS_JOBS: Plugin = {
  name: 'chaos jobs',
  setup: ({ onResolve }) => {
    onResolve({ filter: /\/jobs\/index\.ts$/ }, () => ({ path: join(ROOT, 'test/chaos/service/jobs.ts') }));
  },
};

/**
 * The programs of the service, and the service in one file beside them. Loading hundreds of modules one by one would
 * take a process more than twice as long. test/docs and `npm run check -- package` test `npm start`, dist/ and the package as
 * users run them.
 */
export interface BuiltService {
  /** The service with its own jobs. */
  readonly entry: string;
  /** The program that `npm run dev` runs. */
  readonly dev: string;
  /** The service with the chaos jobs instead of its own, and the module that is loaded before it. */
  readonly chaos: { readonly entry: string; readonly preload: string };
}

const built = filesIn(
  await buildOnce({ sources: ['scripts/dev.ts', 'test/chaos/service'], build: compileAll }),
);

/** The service, compiled once for each state of the sources. */
export function buildService(): BuiltService {
  return built;
}

function filesIn(folder: string): BuiltService {
  return {
    entry: join(folder, 'entry.js'),
    dev: join(folder, 'dev.js'),
    chaos: { entry: join(folder, 'chaos.js'), preload: join(folder, 'preload.js') },
  };
}

async function compileAll(outdir: string): Promise<void> {
  const entry = 'src/entry/node.ts';
  const preload = 'test/chaos/service/preload.ts';
  const programs = (entryPoints: Record<string, string>, service: string) =>
    build({ ...OPTIONS, outdir, entryPoints, plugins: [serviceBeside(`./${service}.js`)] });
  const service = { outdir, exported: 'runService', entryPoints: [SERVICE] };
  await Promise.all([
    programs({ entry, dev: 'scripts/dev.ts' }, 'service'),
    programs({ chaos: entry, preload }, 'chaos-service'),
    compileWithPackages({ ...service, name: 'service' }),
    compileWithPackages({ ...service, name: 'chaos-service', plugins: [CHAOS_JOBS] }),
  ]);
  const { entry: ownJobs, chaos } = filesIn(outdir);
  const env = { TURSO_DATABASE_URL: 'file::memory:' };
  await storeCode(ownJobs, { env });
  await storeCode(chaos.entry, { env, nodeOptions: ['--expose-gc'] });
}
