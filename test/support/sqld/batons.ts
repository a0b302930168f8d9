import { randomUUID } from 'node:crypto';
import { newStream, type Stream } from './stream.ts';

interface Kept {
  readonly stream: Stream;
  readonly idleTimer: NodeJS.Timeout;
}

/** The streams between two of their requests. */
export class Batons {
  readonly #kept = new Map<string, Kept | 'expired'>();
  readonly #idleMs: number;
  readonly #onExpire: (stream: Stream) => void;

  /** @param onExpire called with a stream that was idle for too long. */
  constructor({
    idleMs,
    onExpire,
  }: { readonly idleMs: number; readonly onExpire: (stream: Stream) => void }) {
    this.#idleMs = idleMs;
    this.#onExpire = onExpire;
  }

  /** The stream of a baton; a new stream without one. */
  find(baton: string | null | undefined): Stream | 'expired' | 'invalid' {
    if (baton == null) return newStream();
    const kept = this.#kept.get(baton);
    return typeof kept === 'object' ? kept.stream : (kept ?? 'invalid');
  }

  /** As {@link find}. The baton can't be used again. */
  take(baton: string | null | undefined): Stream | 'expired' | 'invalid' {
    const stream = this.find(baton);
    if (baton == null || typeof stream === 'string') return stream;
    const kept = this.#kept.get(baton);
    if (typeof kept === 'object') clearTimeout(kept.idleTimer);
    this.#kept.delete(baton);
    return stream;
  }

  keep(stream: Stream): string {
    const baton = randomUUID();
    const idleTimer = setTimeout(() => this.#expire(baton), this.#idleMs);
    this.#kept.set(baton, { stream, idleTimer });
    return baton;
  }

  /** Ends all streams between two requests, as if they had been idle for too long. */
  expireAll(): void {
    for (const baton of this.#kept.keys()) this.#expire(baton);
  }

  #expire(baton: string): void {
    const kept = this.#kept.get(baton);
    if (kept === undefined || kept === 'expired') return;
    this.#kept.set(baton, 'expired');
    clearTimeout(kept.idleTimer);
    this.#onExpire(kept.stream);
  }
}
