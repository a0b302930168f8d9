import { encodeTime } from 'ulidx';

// cspell:disable-next-line
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_LENGTH = 10;
const RANDOM_LENGTH = 16;

/** Random bytes are drawn into a buffer, because one draw for each id takes longer than making the id. */
const pool = new Uint8Array(4096);
let used = pool.length;

let timeMs = Number.NaN;
let timeText = '';

/**
 * Follows https://github.com/ulid/spec. The library takes three times as long, because it encodes
 * the same millisecond again and again.
 */
function newUlid(): string {
  const nowMs = Date.now();
  if (nowMs !== timeMs) {
    timeText = encodeTime(nowMs, TIME_LENGTH);
    timeMs = nowMs;
  }
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  let text = timeText;
  const end = used + RANDOM_LENGTH;
  while (used < end) text += CROCKFORD[(pool[used++] as number) % CROCKFORD.length];
  return text;
}

/** `run_` and a ULID. */
export function newRunId(): string {
  return `run_${newUlid()}`;
}

/** Tells a signal that is sent again from another one. */
export function newSignalId(): string {
  return newUlid();
}

/** Tells workers apart, and one from itself after another start. */
export function newWorkerId(): string {
  return `worker_${newUlid()}`;
}

/** Tells the states of a schedule apart. */
export function newRevision(): string {
  return newUlid();
}

/** Marks the runs of one claim, so that a claim whose answer was lost can be found again. */
export function newClaimToken(): string {
  return newUlid();
}
