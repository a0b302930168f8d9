/** Seen from where this file is run: `bench/out/bench/`. */
export const resultsFile = new URL('../../RESULTS.md', import.meta.url);
