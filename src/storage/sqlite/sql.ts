/** The database's clock, ms since the epoch; one value throughout a statement. */
export const NOW_MS = `cast(unixepoch('subsec') * 1000 as integer)`;

/** Whether a statement may change something. */
export function isWrite(sql: string): boolean {
  return !/^\s*select\b/i.test(sql);
}
