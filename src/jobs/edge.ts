import { createFetchUrl, type LoopbackRule } from './fetch-url.ts';

export interface EdgeJobsOptions {
  /** The origins that `fetch-url` may fetch from. */
  readonly fetchOrigins?: readonly string[] | undefined;
  /** Whether it may fetch from this machine's own addresses if they are not listed. */
  readonly fetchLoopback?: LoopbackRule | undefined;
  /** The `fetch` that jobs use. */
  readonly fetch?: typeof fetch | undefined;
}

/**
 * The jobs that also run without a file system, on Cloudflare Workers. To add one, write a file in this folder
 * and add a line here.
 */
export function createEdgeJobs({ fetchOrigins, fetchLoopback, fetch }: EdgeJobsOptions) {
  return {
    fetchUrl: createFetchUrl({ origins: fetchOrigins, loopback: fetchLoopback, fetch }),
  };
}
