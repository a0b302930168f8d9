import { portionLength } from '../../../core/json/portions.ts';
import type { Claim, ClaimedRun, ClaimKind, ClaimRequest, LostRun } from '../../../core/ownership/claim.ts';
import type { RunStatus } from '../../../core/run.ts';
import type { Store } from '../../../core/store.ts';
import type { Rows, Sending, Sql, WriteKind } from '../../writes.ts';
import type { Connection } from '../connection/connection.ts';
import {
  ANSWER_BYTES,
  CLAIMED,
  claimStatement,
  LEFT_BEHIND,
  MAX_WOKEN,
  PAYLOADS,
  WAKE,
} from './claim-sql.ts';
import { readCurrent } from './current-reads.ts';
import { renewals } from './lease.ts';
import { PLACES } from './places.ts';
import { type InlineValue, isWhole, sizeOf } from './portions.ts';
import { STEPS_OF_CLAIM, type StepsOfRuns, stepsOfRuns } from './step-results.ts';

interface ClaimRow {
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
  /** Whether pending runs were left when this row was updated: the last row's answer holds. */
  readonly more: number;
}

/** The rows of a claim, and the finished steps of its runs that came with them. */
interface Claimed {
  readonly rows: readonly ClaimRow[];
  readonly steps: StepsOfRuns;
  /** Whether another claim would take more. */
  readonly more: boolean;
  /** How many waiting runs it made pending before. */
  readonly woken: number;
}

/** Asked when the claim leaves; undefined if there is nothing to claim for after all. */
export type ClaimDecision = Parameters<Store['claim']>[0];

const NOTHING: Claimed = { rows: [], steps: new Map(), more: false, woken: 0 };

/**
 * Claims runs. Sent again, a claim takes no others than before: those it took bear its token.
 * Over a network the finished steps of its runs come with the answer.
 */
const claims: WriteKind<ClaimDecision, Claimed> = {
  name: 'claim',
  place: PLACES.claim,
  sizeOf: () => ({ rows: 0, chars: 0 }),
  compile: (decisions, sending) => {
    const parts = decisions.map((decide) => toClaim(decide({ seesAll: sending.seesAll }), sending));
    return {
      statements: parts.flatMap(({ statements }) => statements),
      decode: (answers) => {
        let begin = 0;
        return parts.map(({ statements, decode }) => {
          const own = answers.slice(begin, begin + statements.length);
          begin += statements.length;
          return decode(own);
        });
      },
    };
  },
};

interface OneClaim {
  readonly statements: readonly Sql[];
  readonly decode: (answers: readonly Rows[]) => Claimed;
}

function toClaim(request: ClaimRequest | undefined, { isSentAgain, isRemote, isBatch }: Sending): OneClaim {
  if (request === undefined) return { statements: [], decode: () => NOTHING };
  const jobNames = JSON.stringify(request.jobNames);
  const { limit, claimToken, staleThresholdMs, takesSuspect } = request;
  const inlineBytes = Math.floor(ANSWER_BYTES / limit);
  const isRepeated = isSentAgain || request.isAskedAgain;
  const about = [jobNames, limit, claimToken, staleThresholdMs, takesSuspect ? 1 : 0];
  // Before the claim, which then sees the runs that it wakes.
  const wake: readonly Sql[] = request.wakesDue ? [{ sql: WAKE, parameters: [] }] : [];
  const statements: Sql[] = [
    ...wake,
    { sql: claimStatement({ isRemote, isRepeated }), parameters: [...about, inlineBytes] },
  ];
  if (isRepeated)
    statements.push({ kind: 'read', sql: CLAIMED, parameters: [jobNames, claimToken, inlineBytes] });
  if (isRemote) statements.push({ kind: 'read', sql: LEFT_BEHIND, parameters: about });
  // On a file, a claim that wakes runs is the one that probably takes runs with steps.
  const bringsSteps = isRemote || (isBatch && request.wakesDue);
  if (bringsSteps) statements.push({ kind: 'read', sql: STEPS_OF_CLAIM, parameters: [claimToken] });
  return {
    statements,
    decode: (answers) => {
      const woken = request.wakesDue ? (answers[0]?.length ?? 0) : 0;
      const claimed = answers.slice(wake.length) as unknown as readonly (readonly ClaimRow[])[];
      const rows = claimedRows(claimed, { isRepeated });
      // Of fewer runs than it asked for it left none behind, but for their bytes.
      const tookAll = rows.length >= limit && rows.every((row) => row.more === 1);
      const steps = bringsSteps ? stepsOfRuns(answers.at(-1) ?? []) : NOTHING.steps;
      const left = isRemote ? (answers.at(-2) ?? []) : [];
      return { rows, steps, more: tookAll || left.length > 0, woken };
    },
  };
}

/** Of a repeated claim the second answer holds all runs that bear its token. */
function claimedRows(
  [taken = [], claimed = []]: readonly (readonly ClaimRow[])[],
  { isRepeated }: { isRepeated: boolean },
): readonly ClaimRow[] {
  if (!isRepeated) return taken;
  return [...claimed, ...taken.filter(({ status }) => status !== 'running')];
}

/** Whatever it throws, the runs that it may have taken are found by the token when it is asked again. */
export async function claim(
  connection: Connection,
  decide: ClaimDecision,
  { deadlineMs = connection.callerDeadline() }: { readonly deadlineMs?: number | undefined } = {},
): Promise<Claim> {
  let request: ClaimRequest | undefined;
  const decideOnce: ClaimDecision = (about) => {
    request = decide(about);
    return request;
  };
  const { rows, steps, more, woken } = await connection.lane.submit(claims, decideOnce, deadlineMs);
  const answeredAtMs = connection.clock.monotonicMs();
  const payloads =
    request === undefined ? NO_PAYLOADS : await readPayloads(connection, rows, { ...request, deadlineMs });
  return {
    runs: rows.flatMap((row) => {
      const payload = typeof row.payload === 'string' ? row.payload : payloads.get(row.id);
      if (row.status !== 'running' || payload === undefined) return [];
      return [
        toClaimedRun(row, { payload, steps: steps.get(row.id), databaseAheadMs: row.now_ms - answeredAtMs }),
      ];
    }),
    lost: rows.filter((row) => row.status === 'failed').map(toLostRun),
    more,
    moreDue: woken === MAX_WOKEN,
  };
}

const NO_PAYLOADS: ReadonlyMap<string, string> = new Map();

/** The payloads that were too large to come with the claim. A run that was deleted, or retried and claimed, meanwhile has none. */
async function readPayloads(
  connection: Connection,
  rows: readonly ClaimRow[],
  { staleThresholdMs, deadlineMs }: Pick<ClaimRequest, 'staleThresholdMs'> & { readonly deadlineMs: number },
): Promise<ReadonlyMap<string, string>> {
  const { clock } = connection;
  const leases = rows.map(({ id, fence }) => ({ runId: id, fence }));
  let renewedMs = clock.monotonicMs();
  const payloads = new Map<string, string>();
  let rest = rows.filter(({ payload, status }) => !isWhole(payload) && status === 'running');
  while (rest.length > 0) {
    const length = portionLength(rest, ({ payload }) => sizeOf(payload));
    const fences = new Map(rest.slice(0, length).map(({ id, fence }) => [id, fence]));
    rest = rest.slice(length);
    // Nobody else keeps the leases before the runs are in their slots.
    if (clock.monotonicMs() - renewedMs > staleThresholdMs / 4) {
      renewedMs = clock.monotonicMs();
      await connection.lane.submit(renewals, leases);
    }
    const read = await readCurrent<{ id: string; fence: number; payload: string }>(connection, {
      sql: PAYLOADS,
      parameters: [JSON.stringify([...fences.keys()])],
      deadlineMs,
    });
    for (const { id, fence, payload } of read) if (fences.get(id) === fence) payloads.set(id, payload);
  }
  return payloads;
}

function toLostRun({ id, job_name, attempt, error }: ClaimRow): LostRun {
  return { runId: id, jobName: job_name, attempt, error: error ?? '' };
}

function toClaimedRun(
  row: ClaimRow,
  { payload, steps, databaseAheadMs }: Pick<ClaimedRun, 'payload' | 'steps' | 'databaseAheadMs'>,
): ClaimedRun {
  return {
    runId: row.id,
    jobName: row.job_name,
    kind: row.claim_kind,
    attempt: row.attempt,
    fence: row.fence,
    payload,
    concurrencyKey: row.concurrency_key,
    stepCount: row.step_count,
    lostCount: row.lost_count,
    retryCount: row.retry_count,
    databaseAheadMs,
    steps,
  };
}
