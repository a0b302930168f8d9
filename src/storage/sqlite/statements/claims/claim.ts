import { decodeJson } from '../../../../core/json/json.ts';
import { portionLength } from '../../../../core/json/portions.ts';
import type {
  Claim,
  ClaimedRun,
  ClaimKind,
  ClaimRequest,
  JobTerms,
  LostRun,
} from '../../../../core/ownership/claim.ts';
import type { RunStatus } from '../../../../core/run.ts';
import type { Store } from '../../../../core/store.ts';
import type { Rows, Sending, Sql, WriteKind } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import { readCurrent } from '../current-reads.ts';
import { PLACES } from '../places.ts';
import { type InlineValue, isWhole, sizeOf } from '../portions.ts';
import { ANSWER_BYTES, CLAIMED, claimStatement, LEFT_BEHIND, PAYLOADS } from './claim-sql.ts';
import { MAX_WOKEN, WAKE } from './due-sql.ts';
import { KNOWN_OF_CLAIM, type KnownOfRun, knownOfRuns } from './known-of-claim.ts';
import { renewals } from './lease.ts';

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
  readonly parent_run_id: string | null;
  readonly depth: number;
  readonly priority: number;
  readonly version: number | null;
  readonly deadline_at: number | null;
  readonly timeout: string | null;
  readonly error_detail: string | null;
  /** Whether pending runs were left when this row was updated. The value of the last row counts. */
  readonly more: number;
}

/** The rows of a claim, and the steps and signals of its runs that came with them. */
interface Claimed {
  readonly rows: readonly ClaimRow[];
  /** By run. */
  readonly known: ReadonlyMap<string, KnownOfRun>;
  /** Whether another claim would take more. */
  readonly more: boolean;
  /** How many runs it woke before, or failed because their time was up. */
  readonly woken: number;
  readonly overdue: readonly LostRun[];
}

/** Called when the claim leaves. Returns undefined if nothing should be claimed after all. */
export type ClaimDecision = Parameters<Store['claim']>[0];

const NOTHING: Claimed = { rows: [], known: new Map(), more: false, woken: 0, overdue: [] };

/**
 * Claims runs. Sent again, a claim takes no others than before: those it took bear its token.
 * Over a network the steps and signals of its runs come with the answer.
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
  const { limit, claimToken, staleThresholdMs, takesSuspect, terms = [] } = request;
  const hasTerms = terms.length > 0;
  const inlineBytes = Math.floor(ANSWER_BYTES / limit);
  const isRepeated = isSentAgain || request.isAskedAgain;
  const about = [jobNames, limit, claimToken, staleThresholdMs, takesSuspect ? 1 : 0];
  // Before the claim, which then sees the runs that it wakes.
  const wake: readonly Sql[] = request.wakesDue ? [{ sql: WAKE, parameters: [staleThresholdMs] }] : [];
  const statements: Sql[] = [
    ...wake,
    {
      sql: claimStatement({ isRemote, isRepeated, hasTerms }),
      parameters: [...about, inlineBytes, ...(hasTerms ? [encodeTerms(terms)] : [])],
    },
  ];
  if (isRepeated)
    statements.push({ kind: 'read', sql: CLAIMED, parameters: [jobNames, claimToken, inlineBytes] });
  if (isRemote) statements.push({ kind: 'read', sql: LEFT_BEHIND, parameters: about });
  // On a file, a claim that wakes runs is the one that probably takes runs with steps.
  const bringsSteps = isRemote || (isBatch && request.wakesDue);
  if (bringsSteps) statements.push({ kind: 'read', sql: KNOWN_OF_CLAIM, parameters: [claimToken] });
  return {
    statements,
    decode: (answers) => {
      const woken = request.wakesDue ? (answers[0] ?? []) : [];
      const claimed = answers.slice(wake.length) as unknown as readonly (readonly ClaimRow[])[];
      const rows = claimedRows(claimed, { isRepeated });
      // If it took fewer runs than it asked for, it left none behind, unless their payloads were too large.
      const tookAll = rows.length >= limit && rows.every((row) => row.more === 1);
      const known = bringsSteps ? knownOfRuns(answers.at(-1) ?? []) : NOTHING.known;
      const left = isRemote ? (answers.at(-2) ?? []) : [];
      const overdue = woken.flatMap(({ failed }) =>
        failed == null ? [] : [decodeJson(String(failed)) as LostRun],
      );
      return { rows, known, more: tookAll || left.length > 0, woken: woken.length, overdue };
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

/** The second answer to a repeated claim has all runs with its token. */
function claimedRows(
  [taken = [], claimed = []]: readonly (readonly ClaimRow[])[],
  { isRepeated }: { isRepeated: boolean },
): readonly ClaimRow[] {
  const rows = isRepeated ? [...claimed, ...taken.filter(({ status }) => status !== 'running')] : taken;
  // They come in the order of insertion.
  return rows.toSorted((a, b) => b.priority - a.priority);
}

/** If this throws, the claim may have taken runs. They are found by its token when it is asked for again. */
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
  const { rows, known, more, woken, overdue } = await connection.lane.submit(claims, decideOnce, deadlineMs);
  const answeredAtMs = connection.clock.monotonicMs();
  const payloads =
    request === undefined ? NO_PAYLOADS : await readPayloads(connection, rows, { ...request, deadlineMs });
  return {
    runs: rows.flatMap((row) => {
      const payload = typeof row.payload === 'string' ? row.payload : payloads.get(row.id);
      if (row.status !== 'running' || payload === undefined) return [];
      return [
        toClaimedRun(row, { payload, ...known.get(row.id), databaseAheadMs: row.now_ms - answeredAtMs }),
      ];
    }),
    lost: [...overdue, ...rows.filter((row) => row.status === 'failed').map(toLostRun)],
    more,
    moreDue: woken >= MAX_WOKEN,
  };
}

const NO_PAYLOADS: ReadonlyMap<string, string> = new Map();

/** The payloads that were too large to come with the claim. A run that was deleted or claimed again meanwhile has none. */
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
    // The runs are not in their slots yet, so nobody else renews their leases.
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

function toLostRun({ id, job_name, attempt, error, error_detail }: ClaimRow): LostRun {
  return { runId: id, jobName: job_name, attempt, error: error ?? '', detail: error_detail };
}

function toClaimedRun(
  row: ClaimRow,
  {
    payload,
    steps,
    signals,
    databaseAheadMs,
  }: Pick<ClaimedRun, 'payload' | 'steps' | 'signals' | 'databaseAheadMs'>,
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
    claimedAtMs: row.now_ms,
    steps,
    signals,
    parentRunId: row.parent_run_id,
    depth: row.depth,
    version: row.version ?? 1,
    deadline: row.deadline_at === null ? undefined : { atMs: row.deadline_at, text: row.timeout ?? '' },
  };
}
