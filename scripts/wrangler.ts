import { join } from 'node:path';

/** Wrangler's program; to be run by node. */
export const WRANGLER = join(import.meta.dirname, '../node_modules/wrangler/bin/wrangler.js');

/** An environment in which wrangler writes below `folder` alone and asks the internet nothing. */
export function wranglerEnv(folder: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: folder,
    TMPDIR: folder,
    XDG_CONFIG_HOME: join(folder, 'config'),
    WRANGLER_SEND_METRICS: 'false',
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    CI: 'true',
  };
}
