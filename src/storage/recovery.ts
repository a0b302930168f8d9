import { DatabaseUnavailableError } from '../core/errors/errors.ts';
import { firstDeadlineMs, type Part, partOf, type SentParts, smaller } from './departure.ts';
import type { Member } from './member.ts';
import type { Pauses } from './pauses.ts';
import type { SendFailure, WritePort } from './writes.ts';

/** Callers wait this long for a database that cannot be reached. */
const UNREACHABLE_BUDGET_MS = 2_000;

/** What the lane does after a sending failed. */
export type Recovery =
  /**
   * All members wait again, in front of what came later. Those for whom `errorOf` returns an error
   * are answered with it.
   */
  | {
      readonly kind: 'put-back';
      readonly errorOf: (member: Member) => unknown;
      /** How long the lane sends nothing. */
      readonly restMs: number;
    }
  /** Smaller requests leave one after the other, so that a member fails only by its own fault. */
  | { readonly kind: 'send-apart'; readonly requests: readonly (readonly Part[])[] }
  /** All callers are answered with the error. */
  | { readonly kind: 'reject'; readonly error: unknown };

interface RecoveryDeps {
  readonly port: WritePort;
  readonly pauses: Pauses;
}

const noError = () => undefined;

/** Decides what happens to the members of a sending that failed. */
export function recoveryFrom(failure: SendFailure, sent: SentParts, deps: RecoveryDeps): Recovery {
  const { parts, members } = sent;
  switch (failure.kind) {
    case 'time-up':
      return { kind: 'put-back', errorOf: afterTimeUp(failure.error, members, deps), restMs: 0 };
    case 'busy':
      return { kind: 'put-back', errorOf: noError, restMs: deps.pauses.afterBusyMs() };
    case 'too-large':
      return afterTooLarge(failure.error, sent, deps);
    case 'lost':
      return afterLoss(failure.error, sent, deps);
    case 'refused':
      return afterRefusal(failure, sent);
    case 'failed':
      if (failure.scope === 'all' || parts.length === 1) return { kind: 'reject', error: failure.error };
      return { kind: 'send-apart', requests: smaller(parts) };
  }
}

/** Answers the members whose deadline has passed. The sending was given up for them. */
function afterTimeUp(error: unknown, members: readonly Member[], { port }: RecoveryDeps) {
  const firstMs = firstDeadlineMs(members) ?? Number.POSITIVE_INFINITY;
  const nowMs = Math.max(port.clock.monotonicMs(), firstMs);
  return ({ deadlineMs }: Member) => (deadlineMs <= nowMs ? error : undefined);
}

/** Smaller requests leave. A single member asks once more, for less. After that the server may be short of memory. */
function afterTooLarge(error: unknown, sent: SentParts, deps: RecoveryDeps): Recovery {
  const { parts, members } = sent;
  const [only] = members;
  if (only === undefined || members.length > 1) return { kind: 'send-apart', requests: smaller(parts) };
  only.isSentAgain = true;
  if (only.asksLess) return afterLoss(error, sent, deps);
  only.asksLess = true;
  return { kind: 'send-apart', requests: [parts] };
}

/** The members may be stored. They are sent again until the database was out of reach for too long. */
function afterLoss(cause: unknown, sent: SentParts, { port, pauses }: RecoveryDeps): Recovery {
  const nowMs = port.clock.monotonicMs();
  const unavailable = new DatabaseUnavailableError('The database is unavailable', { cause });
  const isGivenUp = ({ firstSentMs = nowMs }: Member) => nowMs - firstSentMs > UNREACHABLE_BUDGET_MS;
  for (const member of sent.members) member.isSentAgain = true;
  // It counts, too, if all of its callers were answered before.
  if (sent.members.some(isGivenUp)) port.noteGivenUp();
  return {
    kind: 'put-back',
    errorOf: (member) => (isGivenUp(member) ? unavailable : undefined),
    restMs: pauses.afterLossMs({ waitedMs: nowMs - sent.startMs }),
  };
}

/** Sends the members of the refused part one by one. The order stays the same. */
function afterRefusal(
  { error, statementIndex }: SendFailure & { kind: 'refused' },
  { parts, members, compiled }: SentParts,
): Recovery {
  if (members.length === 1) return { kind: 'reject', error };
  const refused = parts.length === 1 ? parts[0] : partOf({ parts, compiled }, statementIndex);
  if (refused === undefined) return { kind: 'send-apart', requests: smaller(parts) };
  const at = parts.indexOf(refused);
  const requests = [parts.slice(0, at), ...smaller([refused]), parts.slice(at + 1)];
  return { kind: 'send-apart', requests: requests.filter(({ length }) => length > 0) };
}
