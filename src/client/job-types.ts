import type { JobReference, StepContext } from '../core/step.ts';

/** The definitions of jobs, of which the client uses only the types: what `typeof jobs` is. */
export type JobDefinitions = Readonly<Record<string, { readonly name: string }>>;

/** What a trigger of the job accepts. */
export type InputOf<TJob> = TJob extends JobReference<infer TInput, unknown> ? TInput : unknown;

/** What its runs return, as it reads back. */
export type OutputOf<TJob> = TJob extends { readonly '~output'?: infer TOutput }
  ? Exclude<TOutput, undefined>
  : unknown;

/** What its runs receive. */
export type PayloadOf<TJob> = TJob extends { run(step: StepContext, payload: infer TPayload): unknown }
  ? TPayload
  : unknown;

/** `importCsv` as `import-csv`. */
type Dashed<TText extends string> = TText extends `${infer TFirst}${infer TRest}`
  ? `${TFirst extends Lowercase<TFirst> ? TFirst : `-${Lowercase<TFirst>}`}${Dashed<TRest>}`
  : '';

/** The keys of the jobs whose names do not follow from them. */
type UnusualKeys<TJobs extends JobDefinitions> = {
  [K in keyof TJobs & string]: TJobs[K]['name'] extends Dashed<K> ? never : K;
}[keyof TJobs & string];

/** The names of those jobs. */
export type UnusualNames<TJobs extends JobDefinitions> = {
  readonly [K in UnusualKeys<TJobs>]: TJobs[K]['name'];
};

/** The name of the job under a key: `import-csv` for `importCsv`. */
export function dashed(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
