import { join } from 'node:path';

/** The path of wrangler's program. Run it with node. */
export const WRANGLER = join(import.meta.dirname, '../node_modules/wrangler/bin/wrangler.js');

/** An environment in which wrangler writes only below `folder` and does not use the internet. */
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
