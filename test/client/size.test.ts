import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, it } from 'vitest';

const MAX_BYTES = 8 * 1024;

it('is smaller than 8 KiB on a page, and brings no other package', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: ['src/client.ts'],
    absWorkingDir: `${import.meta.dirname}/../..`,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    write: false,
    metafile: true,
  });
  const [bundle] = outputFiles;
  expect(gzipSync(bundle?.contents ?? '').byteLength).toBeLessThan(MAX_BYTES);
  const sources = Object.keys(metafile.inputs);
  expect(sources.filter((path) => !/^src\/(client|core)/.test(path))).toEqual([]);
});
