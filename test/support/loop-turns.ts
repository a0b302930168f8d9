import type { Dialect } from 'kysely';
import { interceptStatements } from './dialects/intercepted-dialect.ts';

/** Counts the turns of the event loop. It keeps the loop busy meanwhile. */
export class LoopTurns {
  #count = 0;
  #next: NodeJS.Immediate;

  constructor() {
    const count = () => {
      this.#count++;
      this.#next = setImmediate(count);
    };
    this.#next = setImmediate(count);
  }

  get count(): number {
    return this.#count;
  }

  stop(): void {
    clearImmediate(this.#next);
  }
}

/** A read, the characters of its answer, and the turn of the event loop in which it ran. */
interface TimedRead {
  readonly turn: number;
  readonly chars: number;
}

/** The dialect, with a record of which reads ran in which turn of the event loop while `turns` counts. */
export function recordReads(dialect: Dialect, turns: LoopTurns): { dialect: Dialect; reads: TimedRead[] } {
  const reads: TimedRead[] = [];
  const recording = interceptStatements(dialect, async (query, execute) => {
    const result = await execute();
    if (/^\s*select\b/i.test(query.sql)) {
      reads.push({ turn: turns.count, chars: JSON.stringify(result.rows).length });
    }
    return result;
  });
  return { dialect: recording, reads };
}

/** The most characters that were read in one turn. */
export function mostInOneTurn(reads: readonly TimedRead[]): number {
  const byTurn = new Map<number, number>();
  for (const { turn, chars } of reads) byTurn.set(turn, (byTurn.get(turn) ?? 0) + chars);
  return Math.max(...byTurn.values());
}
