import { portionLength } from '../../../../core/json/portions.ts';
import type { Claim, ClaimedRun, ClaimRequest, LostRun } from '../../../../core/ownership/claim.ts';
import type { Store } from '../../../../core/store.ts';
import type { WriteKind } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import type { OptionalSchema } from '../../migrations/optional-schema.ts';
import { readCurrent } from '../current-reads.ts';
import { PLACES } from '../places.ts';
import { isWhole, sizeOf } from '../portions.ts';
import { type Claimed, type ClaimRow, toClaim } from './claim-parts.ts';
import { PAYLOADS } from './claim-sql.ts';
import { renewals } from './lease.ts';

/** Called when the claim leaves. Returns undefined if nothing should be claimed after all. */
export type ClaimDecision = Parameters<Store['claim']>[0];

interface OneDecision {
  readonly decide: ClaimDecision;
  readonly schema: OptionalSchema;
}

/**
 * Claims runs. Sent again, a claim takes no others than before: those it took bear its token.
 * Over a network the steps and signals of its runs come with the answer.
 */
const claims: WriteKind<OneDecision, Claimed> = {
  name: 'claim',
  place: PLACES.claim,
  sizeOf: () => ({ rows: 0, chars: 0 }),
  compile: (decisions, sending) => {
    const parts = decisions.map(({ decide, schema }) => {
      const request = decide({ seesAll: sending.seesAll });
      const asked = request && sending.asksLess ? { ...request, limit: 1 } : request;
      return toClaim(asked, sending, schema.hasLimits);
    });
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

/** If this throws, the claim may have taken runs. They are found by its token when it is asked for again. */
export async function claim(
  connection: Connection,
  schema: OptionalSchema,
  decide: ClaimDecision,
  {
    deadlineMs = connection.callerDeadline(),
    hasLimits = false,
  }: NonNullable<Parameters<Store['claim']>[1]> = {},
): Promise<Claim> {
  if (hasLimits && !schema.hasLimits) await schema.addLimits();
  let request: ClaimRequest | undefined;
  const decideOnce: ClaimDecision = (about) => {
    request = decide(about);
    return request;
  };
  const { rows, known, more, woken, schedules } = await connection.lane.submit(
    claims,
    { decide: decideOnce, schema },
    deadlineMs,
  );
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
    lost: [...woken.lost, ...rows.filter((row) => row.status === 'failed').map(toLostRun)],
    more,
    moreDue: woken.moreDue,
    ...(schedules && { schedules }),
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
    pluginData: row.plugin_data,
    dueSinceMs: row.due_since ?? row.created_at,
    startedAtMs: row.started_at,
    deadline: row.deadline_at === null ? undefined : { atMs: row.deadline_at, text: row.timeout ?? '' },
  };
}
