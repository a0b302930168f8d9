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
 * Group commit: members that arrive while others are under way leave together
 * as the next group, in the order they came.
 */
export class Lane<M extends LaneMember, R> {
  readonly #send: (members: readonly M[]) => Promise<readonly R[]>;
  readonly #isMembersFault: (error: unknown) => boolean;
  readonly #maxUnderWay: () => number;
  #waiting: Waiting<M, R>[] = [];
  #underWay = 0;
  #isLeaving = false;

  constructor(options: {
    /** Stores a group in one statement; answers in the members' order. */
    send: (members: readonly M[]) => Promise<readonly R[]>;
    /** Whether a group's error may be one member's: its members are then tried one by one. */
    isMembersFault: (error: unknown) => boolean;
    /** How many groups may be under way at once; their order is then open. */
    maxUnderWay: () => number;
  }) {
    this.#send = options.send;
    this.#isMembersFault = options.isMembersFault;
    this.#maxUnderWay = options.maxUnderWay;
  }

  submit(member: M): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ member, resolve, reject });
      this.#leaveSoon();
    });
  }

  #leaveSoon(): void {
    if (this.#isLeaving || this.#waiting.length === 0 || this.#underWay >= this.#maxUnderWay()) return;
    this.#isLeaving = true;
    // Not at once, so that what arrives in this turn of the event loop leaves
    // together; not on a microtask, which would starve timers and sockets.
    defer(() => {
      this.#isLeaving = false;
      this.#underWay++;
      void this.#sendGroup(this.#takeGroup()).then(() => {
        this.#underWay--;
        this.#leaveSoon();
      });
      this.#leaveSoon();
    });
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
