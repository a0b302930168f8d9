import type { Rows, Sql, WriteKind } from '../../writes.ts';
import { PLACES } from './places.ts';

/** A kind of write that does one portion of what is done now and then. Its result: the rows of the statement. */
export function portionWrites({
  name,
  rows,
}: {
  readonly name: string;
  /** The most rows of a portion. */
  readonly rows: number;
}): WriteKind<Sql, Rows> {
  return {
    name,
    place: PLACES.deletion,
    sizeOf: () => ({ rows, chars: 0 }),
    compile: (members) => ({
      statements: members,
      decode: (answers) => members.map((_, i) => answers[i] ?? []),
    }),
  };
}
