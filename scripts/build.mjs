/**
 * npm run build: compiles src/ into dist/. It compiles into another folder and then swaps the folders, so that
 * neither a running service nor a failed build ever finds dist/ missing or incomplete. This is plain
 * JavaScript, which runs without a loader.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const DIST = join(ROOT, 'dist');
const PREFIX = '.dist-';
/** A build folder older than this is left over from a killed build. */
const FORGET_AFTER_MS = 10 * 60 * 1000;
const MAX_SWAPS = 10;

const remove = (folder) => rmSync(folder, { recursive: true, force: true });

for (const name of readdirSync(ROOT).filter((entry) => entry.startsWith(PREFIX))) {
  if (Date.now() - statSync(join(ROOT, name)).mtimeMs > FORGET_AFTER_MS) remove(join(ROOT, name));
}
await import('./build-dashboard.mjs');
const work = mkdtempSync(join(ROOT, PREFIX));
const draft = join(work, 'new');
try {
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  const args = [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', draft];
  const { status, error } = spawnSync(process.execPath, args, { stdio: 'inherit', cwd: ROOT });
  if (error) throw error;
  if (status === 0) swapIn();
  else process.exitCode = status ?? 1;
} finally {
  remove(work);
}

/** Another build may do the same at the same time. */
function swapIn() {
  for (let swaps = 1; ; swaps++) {
    try {
      if (existsSync(DIST)) renameSync(DIST, join(work, `old-${swaps}`));
      renameSync(draft, DIST);
      return;
    } catch (error) {
      if (swaps === MAX_SWAPS) throw error;
    }
  }
}
