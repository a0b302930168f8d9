import { ValidationError } from '../core/errors/errors.ts';
import type { DurablyClient } from './durably-client.ts';
import { jobsOf } from './job-handle.ts';
import type { JobDefinitions, UnusualNames } from './job-types.ts';
import { methodsOf } from './methods.ts';
import { clientClock, type Surroundings } from './time.ts';
import { createTransport, type FetchFunction } from './transport.ts';

/** How a client reaches its service. */
export interface DurablyClientOptions {
  /** The address of the service with its base path, such as `https://example.com/api/durably`. In a page, a path will do. */
  readonly url: string;
  /** A key of the service, if it wants one. */
  readonly apiKey?: string | undefined;
  /** Called in place of the global `fetch`. */
  readonly fetch?: FetchFunction | undefined;
}

/**
 * The names of the jobs that do not follow from their keys: under the key `importCsv` the client finds the job `import-csv`. If
 * there are such jobs, the compiler asks for their names.
 */
export type JobNames<TJobs extends JobDefinitions> = string extends keyof TJobs
  ? { readonly jobNames?: Readonly<Record<string, string>> | undefined }
  : keyof UnusualNames<TJobs> extends never
    ? { readonly jobNames?: UnusualNames<TJobs> | undefined }
    : { readonly jobNames: UnusualNames<TJobs> };

/**
 * A client of a durably service, for browsers, Node and Workers. It knows the jobs by the types of their definitions, so that
 * none of the service's code gets into the page.
 *
 * @throws {ValidationError} for a bad option.
 * @example
 * import { createDurablyClient } from 'durably/client'
 * import type { greet } from './greet.ts'
 *
 * const client = createDurablyClient<{ greet: typeof greet }>({ url: 'http://localhost:3000/api/durably' })
 * const { runId } = await client.jobs.greet.trigger({ name: 'Ada' })
 * for await (const event of client.run(runId).events()) console.log(event.type)
 */
export function createDurablyClient<TJobs extends JobDefinitions = JobDefinitions>(
  options: DurablyClientOptions & JobNames<TJobs>,
): DurablyClient<TJobs> {
  return assembleClient(options, { clock: clientClock, random: Math.random });
}

/** A client with a clock of the caller's. */
export function assembleClient<TJobs extends JobDefinitions>(
  options: DurablyClientOptions & JobNames<TJobs>,
  surroundings: Surroundings,
): DurablyClient<TJobs> {
  const { url, apiKey, fetch, jobNames } = options ?? {};
  if (typeof url !== 'string' || /[?#]/.test(url)) {
    // Before an @ and after a ? or a # there may be secrets.
    const shown =
      typeof url === 'string' ? JSON.stringify(url.replace(/.*@|[?#].*/gs, '…').slice(0, 64)) : typeof url;
    throw new ValidationError(
      `url must be the address of the service with its base path, without a query, not ${shown}`,
    );
  }
  const transport = createTransport({
    ...surroundings,
    base: url.replace(/\/+$/, ''),
    headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
    // Workers call the global function only as a member of its object.
    fetch: fetch ?? ((address, init) => globalThis.fetch(address, init)),
  });
  const methods = methodsOf(transport);
  return { ...methods, jobs: jobsOf<TJobs>(methods, { ...jobNames }) };
}
