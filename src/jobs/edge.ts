import { createFetchUrl, type LoopbackRule } from './fetch-url.ts';

export interface EdgeJobsOptions {
  /** Origins that `fetch-url` may fetch from. */
  readonly fetchOrigins?: readonly string[] | undefined;
  /** Whether it may fetch from this machine's own addresses without their being named. */
  readonly fetchLoopback?: LoopbackRule | undefined;
  /** By which jobs send their requests. */
  readonly fetch?: typeof fetch | undefined;
}

/** The jobs that also run where there are no files, on Cloudflare Workers. A new one is a file in this folder and a line here. */
export function createEdgeJobs({ fetchOrigins, fetchLoopback, fetch }: EdgeJobsOptions) {
  return {
    fetchUrl: createFetchUrl({ origins: fetchOrigins, loopback: fetchLoopback, fetch }),
  };
}
