import { createFetchUrl } from './fetch-url.ts';

export interface EdgeJobsOptions {
  /** Origins that `fetch-url` may fetch from, besides this machine's own. */
  readonly fetchOrigins?: readonly string[] | undefined;
  /** By which jobs send their requests. */
  readonly fetch?: typeof fetch | undefined;
}

/** The jobs that also run where there are no files, on Cloudflare Workers. A new one is a file in this folder and a line here. */
export function createEdgeJobs({ fetchOrigins, fetch }: EdgeJobsOptions) {
  return {
    fetchUrl: createFetchUrl({ origins: fetchOrigins, fetch }),
  };
}
