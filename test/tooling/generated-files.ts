/** Before all tests: makes the module of the dashboard's files, which is not in the repository. */
export async function setup(): Promise<void> {
  await import(new URL('../../scripts/build-dashboard.mjs', import.meta.url).href);
}
