import type { Member } from './member.ts';
import type { CompiledWrites, Rows, Sending, Sql, WriteKind, WriteSize } from './writes.ts';

/** The most that leaves together. A local database holds up the event loop while it stores this. */
export const LOCAL_BOUNDS: WriteSize = { rows: 200, chars: 256 * 1024 };
export const REMOTE_BOUNDS: WriteSize = { rows: 1_000, chars: 1024 * 1024 };

/** Members of one kind that leave together. */
export interface Part {
  readonly kind: WriteKind<unknown, unknown>;
  readonly members: readonly Member[];
}

/** What left together, and the statements that it became. */
export interface SentParts {
  readonly parts: readonly Part[];
  readonly members: readonly Member[];
  /** In the order of the parts. */
  readonly compiled: readonly CompiledWrites<unknown>[];
  readonly startMs: number;
}

/** The first members that fit into the bounds, grouped by kind in the order of the kinds, and the rest. */
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
    // No member overtakes another: a claim must see the runs that were added before it.
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

/** The statements for each part. */
export function compileParts(
  parts: readonly Part[],
  about: Omit<Sending, 'isSentAgain' | 'sentAgain' | 'asksLess'>,
): CompiledWrites<unknown>[] {
  const { isBatch, isRemote, seesAll } = about;
  return parts.map(({ kind, members }) => {
    const sentAgain = members.map(({ isSentAgain }) => isSentAgain);
    const asksLess = members.some((each) => each.asksLess);
    return kind.compile(
      members.map(({ member }) => member),
      { isBatch, isRemote, seesAll, sentAgain, isSentAgain: sentAgain.includes(true), asksLess },
    );
  });
}

/** The statements of all parts, in order. */
export function statementsOf(compiled: readonly CompiledWrites<unknown>[]): Sql[] {
  return compiled.flatMap(({ statements }) => statements);
}

/** Divides the answers of all statements among the parts. */
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

/** The members of all parts, in order. */
export function membersOf(parts: readonly Part[]): readonly Member[] {
  const [only] = parts;
  return only !== undefined && parts.length === 1 ? only.members : parts.flatMap(({ members }) => members);
}

/**
 * The same members in smaller requests: one for each kind, or one for each member if there is only
 * one kind.
 */
export function smaller(parts: readonly Part[]): (readonly Part[])[] {
  const [only] = parts;
  if (only === undefined || parts.length > 1) return parts.map((part) => [part]);
  return only.members.map((member) => [{ kind: only.kind, members: [member] }]);
}

/** The first deadline of the members. Undefined if none has one. */
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

/** The part to which a statement belongs. Undefined if the statement is not known. */
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
