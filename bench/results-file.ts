/** The path relative to `bench/out/bench/`, where this file runs. */
export const resultsFile = new URL('../../RESULTS.md', import.meta.url);
