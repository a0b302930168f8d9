import type { Nature } from './nature.ts';

/** One client may have so many writes under way. Of one more, libsql-server 0.24 was seen to take no more writes. */
const MAX_WRITES = 3;
/** Whoever has waited for an answer this long may give up. */
const PATIENCE_MS = 14_000;

/** How a request left: with an answer, or because its client or the server closed the connection. */
export type Leaving = 'answered' | 'cut by the client' | 'cut by the server';

/**
 * What the clients have under way. Like the write queue of libsql-server, it breaks for good when a client sends
 * too many writes at once, or cuts one off before its answer. Reads go on.
 */
export class WriteQueue {
  readonly #mayCut: boolean;
  readonly #underWay = new Map<string, { reads: number; writes: number }>();
  /** The most that one client had under way at once. */
  maxReads = 0;
  maxWrites = 0;
  /** How many streams were opened to write. */
  writeStreams = 0;
  /** What broke it. */
  brokenBy: string | undefined;

  constructor({ cuts }: { readonly cuts: 'break' | 'allowed' }) {
    this.#mayCut = cuts === 'allowed';
  }

  /** Call the answer when the request leaves. */
  enter(client: string, nature: Nature): (leaving: Leaving) => void {
    const own = this.#underWay.get(client) ?? { reads: 0, writes: 0 };
    this.#underWay.set(client, own);
    const kind = nature === 'reads' ? 'reads' : 'writes';
    own[kind]++;
    this.maxReads = Math.max(this.maxReads, own.reads);
    this.maxWrites = Math.max(this.maxWrites, own.writes);
    if (own.writes > MAX_WRITES) this.#break(`${client} had ${own.writes} writes under way at once`);
    const enteredMs = performance.now();
    let isGone = false;
    return (leaving) => {
      if (isGone) return;
      isGone = true;
      own[kind]--;
      if (leaving !== 'cut by the client' || kind === 'reads' || this.#mayCut) return;
      const waitedMs = performance.now() - enteredMs;
      if (waitedMs < PATIENCE_MS) this.#break(`${client} cut a write off after ${Math.round(waitedMs)} ms`);
    };
  }

  #break(cause: string): void {
    this.brokenBy ??= cause;
  }
}
