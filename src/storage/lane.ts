import { defer } from '../core/clock.ts';

/** A group grows no further once it has this many rows or characters: the event loop waits while it is stored. */
const MAX_GROUP_ROWS = 200;
const MAX_GROUP_CHARS = 256 * 1024;

export interface LaneMember {
  readonly rows: number;
  readonly chars: number;
}

interface Waiting<M, R> {
  readonly member: M;
  resolve(result: R): void;
  reject(error: unknown): void;
}

/**
 * Group commit: members that arrive while a group is under way leave together
 * as the next one, in the order they came. One group is under way at a time.
 */
export class Lane<M extends LaneMember, R> {
  readonly #send: (members: readonly M[]) => Promise<readonly R[]>;
  readonly #isMembersFault: (error: unknown) => boolean;
  #waiting: Waiting<M, R>[] = [];
  #running = false;

  constructor(options: {
    /** Stores a group in one statement; answers in the members' order. */
    send: (members: readonly M[]) => Promise<readonly R[]>;
    /** Whether a group's error may be one member's: its members are then tried one by one. */
    isMembersFault: (error: unknown) => boolean;
  }) {
    this.#send = options.send;
    this.#isMembersFault = options.isMembersFault;
  }

  submit(member: M): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ member, resolve, reject });
      if (this.#running) return;
      this.#running = true;
      // Not at once, so that what arrives in this turn of the event loop leaves
      // together; not on a microtask, which would starve timers and sockets.
      defer(() => void this.#drain());
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#sendGroup(this.#takeGroup());
      await new Promise<void>((resolve) => defer(resolve));
    }
    this.#running = false;
  }

  #takeGroup(): Waiting<M, R>[] {
    let rows = 0;
    let chars = 0;
    let size = 0;
    for (const { member } of this.#waiting) {
      rows += member.rows;
      chars += member.chars;
      if (size > 0 && (rows > MAX_GROUP_ROWS || chars > MAX_GROUP_CHARS)) break;
      size++;
    }
    return this.#waiting.splice(0, size);
  }

  async #sendGroup(group: readonly Waiting<M, R>[]): Promise<void> {
    try {
      const results = await this.#send(group.map(({ member }) => member));
      group.forEach((waiting, i) => {
        waiting.resolve(results[i] as R);
      });
    } catch (error) {
      if (group.length === 1 || !this.#isMembersFault(error)) {
        for (const waiting of group) waiting.reject(error);
        return;
      }
      for (const waiting of group) await this.#sendGroup([waiting]);
    }
  }
}
