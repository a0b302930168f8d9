import { createRequire } from 'node:module';

/** The repository, seen from where this file is run: `bench/out/bench/`. */
const repository = new URL('../../..', import.meta.url);

/** Requires what durably itself would get: its own dependencies, in its own versions. */
export const requireAsDurably = createRequire(new URL('package.json', repository));

/** The build is what ships, so the build is measured. */
const build = async (path: string): Promise<unknown> =>
  await import(new URL(`dist/${path}`, repository).href);

export const { createDurably, defineJob } = (await build('index.js')) as typeof import('../src/index.ts');
export const { createDurablyApp } = (await build('hono.js')) as typeof import('../src/hono.ts');
export const { openDatabase } = (await build('app/database.js')) as typeof import('../src/app/database.ts');
