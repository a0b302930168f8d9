import { ulid } from 'ulidx';

const pool = new Uint8Array(4096);
let used = pool.length;

/** Random bytes drawn a buffer at a time: one draw for each character of an id costs more than the id. */
function randomFraction(): number {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  return (pool[used++] as number) / 256;
}

/** `run_` and a ULID (https://github.com/ulid/spec). */
export function newRunId(): string {
  return `run_${ulid(undefined, randomFraction)}`;
}

/** Marks the runs of one claim, so that a claim whose answer was lost can be found again. */
export function newClaimToken(): string {
  return ulid(undefined, randomFraction);
}
