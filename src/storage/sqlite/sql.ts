/** The database's clock, ms since the epoch. It has one value throughout a statement. */
export const NOW_MS = `cast(unixepoch('subsec') * 1000 as integer)`;
