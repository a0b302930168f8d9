import { stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createJiti } from 'jiti';
import { errorMessage } from '../core/errors/error-text.ts';
import type { GivenJobs } from '../entry/node/instance.ts';
import { UsageError } from './exit.ts';

/**
 * Loads the jobs of a module, which may be TypeScript as it is. The module exports `jobs`, a default, or each job by itself. It
 * need not have installed `durably` and `zod`.
 *
 * @throws {UsageError} if there are no jobs in it, or it fails.
 */
export async function loadJobs(path: string): Promise<GivenJobs> {
  const file = resolve(path);
  if (!(await stat(file).catch(() => undefined))?.isFile()) throw new UsageError(`there is no file ${path}`);
  const virtualModules = await loadedModules(file);
  const jiti = createJiti(pathToFileURL(file).href, { virtualModules, fsCache: false });
  let loaded: unknown;
  try {
    loaded = await jiti.import(file);
  } catch (error) {
    throw new UsageError(`${path} can't be loaded: ${errorMessage(error)}`);
  }
  const jobs = jobsIn(loaded);
  if (jobs === undefined) throw new UsageError(`${path} exports no job: export what defineJob returns`);
  return jobs;
}

/**
 * The doors of this very package, so that the module's errors are of the classes that the engine knows, and zod unless the module
 * has its own. They are loaded here, because the loader can't import a file below a folder with `#` or `?` in its name: it
 * compiles the file instead, with all that it imports.
 */
async function loadedModules(file: string): Promise<Record<string, unknown>> {
  const modules: Record<string, unknown> = { durably: await importDoor('index') };
  for (const name of ['client', 'hono', 'remote', 'server', 'sqlite']) {
    modules[`durably/${name}`] = await importDoor(name);
  }
  if (!hasOwnZod(file)) modules.zod = await import(import.meta.resolve('zod'));
  return modules;
}

async function importDoor(name: string): Promise<unknown> {
  return await import(new URL(`../${name}.js`, import.meta.url).href);
}

function hasOwnZod(file: string): boolean {
  try {
    return createRequire(file).resolve('zod') !== createRequire(import.meta.url).resolve('zod');
  } catch {
    return false;
  }
}

function jobsIn(loaded: unknown): GivenJobs | undefined {
  if (!isObject(loaded)) return undefined;
  for (const candidate of [loaded.jobs, loaded.default, loaded]) {
    if (!isObject(candidate)) continue;
    const jobs = Object.fromEntries(Object.entries(candidate).filter(([, value]) => isJob(value)));
    if (isJobs(jobs)) return jobs;
  }
  return undefined;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** The engine checks the definitions. */
const isJob = (value: unknown): boolean =>
  isObject(value) &&
  typeof value.name === 'string' &&
  typeof value.run === 'function' &&
  isObject(value.input);

const isJobs = (jobs: Readonly<Record<string, unknown>>): jobs is GivenJobs => Object.keys(jobs).length > 0;
