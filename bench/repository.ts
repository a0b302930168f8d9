import { createRequire } from 'node:module';

/** The path of the repository. This file runs from `bench/out/bench/`. */
const repository = new URL('../../..', import.meta.url);

/** Resolves packages as durably does, so that it loads durably's own dependencies in durably's versions. */
export const requireAsDurably = createRequire(new URL('package.json', repository));

/** Measures the build, because that is what ships. */
const build = async (path: string): Promise<unknown> =>
  await import(new URL(`dist/${path}`, repository).href);

export const { createDurably, defineJob } = (await build('index.js')) as typeof import('../src/index.ts');
export const { createDurablyApp } = (await build('hono.js')) as typeof import('../src/hono.ts');
export const { openServiceDatabase: openDatabase } = (await build(
  'app/database.js',
)) as typeof import('../src/app/database.ts');
