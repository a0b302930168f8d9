import type {
  ClaimKind,
  ClaimRequest,
  JobTerms,
  KnownOfRun,
  Woken,
} from '../../../../core/ownership/claim.ts';
import type { RunStatus } from '../../../../core/run.ts';
import type { DueSchedule } from '../../../../core/schedules/schedule.ts';
import type { JobLimits } from '../../../../core/triggers/limits.ts';
import type { Rows, Sending, Sql } from '../../../writes.ts';
import { type InlineValue, sizeOf } from '../portions.ts';
import { dueSchedulesSql } from '../schedules/due-schedules.ts';
import { type DueScheduleRow, toDueSchedule } from '../schedules/schedule-rows.ts';
import { ANSWER_BYTES, CLAIM_BYTES, CLAIMED, claimStatement, LEFT_BEHIND } from './claim-sql.ts';
import { KNOWN_OF_CLAIM, knownOfRuns } from './known-of-claim.ts';
import { MAX_REFRESHED, REFRESH_LINES } from './refresh-lines-sql.ts';
import { toWoken, wakeStatement } from './wake.ts';

export interface ClaimRow {
  readonly id: string;
  readonly job_name: string;
  readonly payload: InlineValue;
  readonly status: RunStatus;
  readonly error: string | null;
  readonly claim_kind: ClaimKind;
  readonly attempt: number;
  readonly fence: number;
  readonly step_count: number;
  readonly lost_count: number;
  readonly retry_count: number;
  /** The database's clock. */
  readonly now_ms: number;
  readonly concurrency_key: string | null;
  readonly parent_run_id: string | null;
  readonly depth: number;
  readonly priority: number;
  readonly version: number | null;
  readonly deadline_at: number | null;
  readonly timeout: string | null;
  readonly error_detail: string | null;
  readonly plugin_data: string | null;
  readonly created_at: number;
  readonly due_since: number | null;
  readonly started_at: number;
  /** Whether pending runs were left when this row was updated. The value of the last row counts. */
  readonly more: number;
}

/** The rows of a claim, and the steps and signals of its runs that came with them. */
export interface Claimed {
  readonly rows: readonly ClaimRow[];
  /** By run. */
  readonly known: ReadonlyMap<string, KnownOfRun>;
  /** Whether another claim would take more. */
  readonly more: boolean;
  /** What it did about the runs that were due, before it took any. */
  readonly woken: Woken;
  /** Undefined if it did not look for them. */
  readonly schedules?: readonly DueSchedule[] | undefined;
}

const NOTHING: Claimed = { rows: [], known: new Map(), more: false, woken: toWoken([]) };

/** The statements of one claim. */
export interface OneClaim {
  readonly statements: readonly Sql[];
  readonly decode: (answers: readonly Rows[]) => Claimed;
}

/** @param hasLimits whether the schema has what limits need */
export function toClaim(request: ClaimRequest | undefined, sending: Sending, hasLimits: boolean): OneClaim {
  const withinMs = request?.schedulesWithinMs;
  const { statements, decode } = claimOfRuns(request, sending, hasLimits);
  if (request === undefined || withinMs === undefined) return { statements, decode };
  return {
    statements: [...statements, dueSchedulesSql({ jobNames: request.jobNames, withinMs })],
    decode: (answers) => ({
      ...decode(answers.slice(0, -1)),
      schedules: ((answers.at(-1) ?? []) as unknown as readonly DueScheduleRow[]).map(toDueSchedule),
    }),
  };
}

function claimOfRuns(
  request: ClaimRequest | undefined,
  { isSentAgain, isRemote, isBatch, asksLess }: Sending,
  hasLimits: boolean,
): OneClaim {
  if (request === undefined) return { statements: [], decode: () => NOTHING };
  const jobNames = JSON.stringify(request.jobNames);
  const { limit, claimToken, staleThresholdMs, takesSuspect, terms = [], limits = [] } = request;
  const hasTerms = terms.length > 0;
  // A repeated claim answers all runs that it took, so none of their payloads come along then.
  const inlineBytes = asksLess ? 0 : Math.floor(ANSWER_BYTES / limit);
  const hasThrottles = limits.some(({ throttle }) => throttle !== undefined);
  const isRepeated = isSentAgain || request.isAskedAgain;
  const about = [jobNames, limit, claimToken, staleThresholdMs, takesSuspect ? 1 : 0];
  // Before the claim, which then sees the runs that it wakes.
  const before: Sql[] = request.wakesDue ? [wakeStatement(staleThresholdMs)] : [];
  const encodedLimits = encodeLimits(limits);
  if (hasLimits) before.push({ sql: REFRESH_LINES, parameters: [jobNames, encodedLimits] });
  const last = hasLimits
    ? [encodeTerms(terms), encodedLimits, mostPerLine(request)]
    : hasTerms
      ? [encodeTerms(terms)]
      : [];
  const statements: Sql[] = [
    ...before,
    {
      sql: claimStatement({ isRemote, isRepeated, hasTerms, hasLimits, hasThrottles }),
      parameters: [...about, inlineBytes, ...last],
    },
  ];
  if (isRepeated)
    statements.push({ kind: 'read', sql: CLAIMED, parameters: [jobNames, claimToken, inlineBytes] });
  // Payloads that are too large for one claim leave runs behind, but not if it takes one at most.
  const canBeCut = isRemote && limit > 1;
  const asksForLeft = canBeCut && !hasLimits;
  if (asksForLeft) statements.push({ kind: 'read', sql: LEFT_BEHIND, parameters: about });
  // On a file, a claim that wakes runs is the one that probably takes runs with steps.
  const bringsSteps = !asksLess && (isRemote || (isBatch && request.wakesDue));
  if (bringsSteps) statements.push({ kind: 'read', sql: KNOWN_OF_CLAIM, parameters: [claimToken] });
  return {
    statements,
    decode: (answers) => {
      const woken = toWoken(request.wakesDue ? (answers[0] ?? []) : []);
      const refreshed = hasLimits ? (answers[before.length - 1] ?? []) : [];
      const claimed = answers.slice(before.length) as unknown as readonly (readonly ClaimRow[])[];
      const rows = claimedRows(claimed, { isRepeated });
      // If it took fewer runs than it asked for, it left none behind, unless their payloads were too large.
      const tookAll = rows.length >= limit && rows.every((row) => row.more === 1);
      const known = bringsSteps ? knownOfRuns(answers.at(-1) ?? []) : NOTHING.known;
      const left = asksForLeft
        ? (answers.at(-2) ?? []).length > 0
        : (canBeCut && fillsHalf(rows)) || refreshed.length >= MAX_REFRESHED;
      return { rows, known, more: tookAll || left, woken };
    },
  };
}

function encodeTerms(terms: readonly JobTerms[]): string {
  return JSON.stringify(
    terms.map(({ jobName, version, timeout }) => [
      jobName,
      version,
      timeout?.ms ?? null,
      timeout?.text ?? null,
    ]),
  );
}

/** As the statement reads them. @see LIMITS */
function encodeLimits(limits: readonly JobLimits[]): string {
  return JSON.stringify(
    limits.map(({ jobName, limit = null, perKey = null, whileWaiting, throttle }) => {
      const keep = [jobName, limit, perKey, whileWaiting === 'hold' ? 1 : 0];
      if (throttle === undefined) return keep;
      return [...keep, throttle.perMs / throttle.limit, throttle.perMs, throttle.isKeyed ? 0 : 1];
    }),
  );
}

/** The most runs that one line can give: if all jobs have a limit by key, no line has room for more. */
function mostPerLine({ jobNames, limits = [], limit }: ClaimRequest): number {
  const perKey = new Map(limits.map((job) => [job.jobName, job.perKey]));
  return Math.min(limit, Math.max(...jobNames.map((name) => perKey.get(name) ?? limit)));
}

/** Whether the payloads of a claim may have left no room for those of other runs. */
function fillsHalf(rows: readonly ClaimRow[]): boolean {
  let bytes = 0;
  for (const { payload } of rows) bytes += sizeOf(payload);
  return 2 * bytes >= CLAIM_BYTES;
}

/** The second answer to a repeated claim has all runs with its token. */
function claimedRows(
  [taken = [], claimed = []]: readonly (readonly ClaimRow[])[],
  { isRepeated }: { isRepeated: boolean },
): readonly ClaimRow[] {
  const rows = isRepeated ? [...claimed, ...taken.filter(({ status }) => status !== 'running')] : taken;
  // They come in the order of insertion.
  return rows.toSorted((a, b) => b.priority - a.priority);
}
