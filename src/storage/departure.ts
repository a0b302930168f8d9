import type { Member } from './member.ts';
import type { CompiledWrites, Rows, Sending, Sql, WriteKind, WriteSize } from './writes.ts';

/** What leaves together holds at most so much. Locally the event loop waits while it is stored. */
export const LOCAL_BOUNDS: WriteSize = { rows: 200, chars: 256 * 1024 };
export const REMOTE_BOUNDS: WriteSize = { rows: 1_000, chars: 1024 * 1024 };

/** Members of one kind that leave together. */
export interface Part {
  readonly kind: WriteKind<unknown, unknown>;
  readonly members: readonly Member[];
}

/** What left together, and what was made of it. */
export interface SentParts {
  readonly parts: readonly Part[];
  readonly members: readonly Member[];
  /** In the order of the parts. */
  readonly compiled: readonly CompiledWrites<unknown>[];
  readonly startMs: number;
}

/** The first members that fit together, by kind in their order, and those that are left. */
export function takeFirst(
  waiting: readonly Member[],
  bounds: WriteSize,
): { readonly parts: readonly Part[]; readonly left: Member[] } {
  const byKind = new Map<WriteKind<unknown, unknown>, Member[]>();
  let rows = 0;
  let chars = 0;
  const left: Member[] = [];
  for (const member of waiting) {
    const { size } = member;
    const fits = rows + size.rows <= bounds.rows && chars + size.chars <= bounds.chars;
    // None overtakes another: a claim sees the runs that were added before it was asked for.
    if (left.length > 0 || (!fits && byKind.size > 0)) {
      left.push(member);
      continue;
    }
    rows += size.rows;
    chars += size.chars;
    const members = byKind.get(member.kind);
    if (members === undefined) byKind.set(member.kind, [member]);
    else members.push(member);
  }
  const parts = [...byKind].map(([kind, members]): Part => ({ kind, members }));
  return { parts: parts.length === 1 ? parts : parts.sort((a, b) => a.kind.place - b.kind.place), left };
}

/** What each part has to be sent. */
export function compileParts(
  parts: readonly Part[],
  about: Omit<Sending, 'isSentAgain' | 'sentAgain'>,
): CompiledWrites<unknown>[] {
  const { isBatch, isRemote, seesAll } = about;
  return parts.map(({ kind, members }) => {
    const sentAgain = members.map(({ isSentAgain }) => isSentAgain);
    return kind.compile(
      members.map(({ member }) => member),
      { isBatch, isRemote, seesAll, sentAgain, isSentAgain: sentAgain.includes(true) },
    );
  });
}

export function statementsOf(compiled: readonly CompiledWrites<unknown>[]): Sql[] {
  return compiled.flatMap(({ statements }) => statements);
}

/** Of the answers to all statements, those of each part. */
export function answersByPart(
  compiled: readonly CompiledWrites<unknown>[],
  answers: readonly Rows[],
): (readonly Rows[])[] {
  let begin = 0;
  return compiled.map(({ statements }) => {
    const own = answers.slice(begin, begin + statements.length);
    begin += statements.length;
    return own;
  });
}

export function membersOf(parts: readonly Part[]): readonly Member[] {
  const [only] = parts;
  return only !== undefined && parts.length === 1 ? only.members : parts.flatMap(({ members }) => members);
}

/** The same in smaller requests: each kind apart, or each member if there is one kind. */
export function smaller(parts: readonly Part[]): (readonly Part[])[] {
  const [only] = parts;
  if (only === undefined || parts.length > 1) return parts.map((part) => [part]);
  return only.members.map((member) => [{ kind: only.kind, members: [member] }]);
}

/** When the first of their callers has waited long enough; undefined if none minds. */
export function firstDeadlineMs(members: readonly Member[]): number | undefined {
  const deadlineMs = Math.min(...members.map((member) => member.deadlineMs));
  return deadlineMs === Number.POSITIVE_INFINITY ? undefined : deadlineMs;
}

/** Parts without the members whose callers were answered before they were sent. */
export function withoutSettled(parts: readonly Part[]): readonly Part[] {
  if (!parts.some(({ members }) => members.some(({ isSettled }) => isSettled))) return parts;
  return parts
    .map(({ kind, members }) => ({ kind, members: members.filter(({ isSettled }) => !isSettled) }))
    .filter(({ members }) => members.length > 0);
}

/** Whose statement it was; undefined if that is not known. */
export function partOf(
  { parts, compiled }: Pick<SentParts, 'parts' | 'compiled'>,
  statementIndex: number | undefined,
): Part | undefined {
  if (statementIndex === undefined) return undefined;
  let end = 0;
  return parts.find((_, i) => {
    end += compiled[i]?.statements.length ?? 0;
    return statementIndex < end;
  });
}
