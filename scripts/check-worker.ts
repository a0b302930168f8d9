/**
 * Bundles the Worker as `wrangler deploy` does. Checks the bundle's size, and that it contains no Node-only
 * modules.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { WRANGLER, wranglerEnv } from './wrangler.ts';

/** 50 KiB of it are the dashboard, which is loaded when it is opened. */
const MAX_KIB = 310;
/** Modules that a Worker can't use. They show that file access or a native database got into the bundle. */
const FOREIGN =
  /\b(?:from|import|require)\s*\(?\s*["']((?:node:)?(?:fs|child_process)(?:\/\w+)?|libsql|@libsql\/[\w-]+)["']/;

const folder = mkdtempSync(join(tmpdir(), 'durably-worker-'));
try {
  const args = [WRANGLER, 'deploy', '--dry-run', '--outdir', join(folder, 'out')];
  execFileSync(process.execPath, args, { env: wranglerEnv(folder), stdio: ['ignore', 'ignore', 'inherit'] });
  const bundle = readFileSync(join(folder, 'out', 'worker.js'));
  const kib = gzipSync(bundle).byteLength / 1024;
  const foreign = FOREIGN.exec(bundle.toString('utf8'))?.[1];
  if (foreign !== undefined) throw new Error(`the Worker's bundle imports ${foreign}`);
  if (kib >= MAX_KIB)
    throw new Error(`the Worker's bundle is ${kib.toFixed(1)} KiB gzipped, over ${MAX_KIB}`);
  console.log(`the Worker's bundle is ${kib.toFixed(1)} KiB gzipped, below ${MAX_KIB}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
