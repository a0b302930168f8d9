import type { TriggerOptions, TriggerRequest } from '../core/durably.ts';
import type { DurablyError } from '../core/errors/errors.ts';
import { ServiceError } from '../core/errors/service-errors.ts';
import type { Disposition } from '../core/triggers/new-run.ts';
import { isObject } from './foreign.ts';
import { operations } from './operations.ts';
import { errorOfPart, requestIdOf } from './problem.ts';
import type { Answer, CallOptions, Transport } from './transport.ts';

/** How a run is triggered, besides its input. A trigger without an idempotency key gets one of its own, so that it can be sent again. */
export interface ClientTriggerOptions extends Omit<TriggerOptions, 'trx' | 'keyScope'> {}

/** A trigger by the name of a job, as a part of a batch. */
export interface ClientTriggerRequest
  extends Omit<TriggerRequest, 'trx' | 'keyScope' | 'idempotencyKeyReuse' | 'input'> {
  /** `{}` unless given. */
  readonly input?: unknown;
}

/** The run of a trigger, and whether it is a new one. */
export interface TriggerAnswer {
  readonly runId: string;
  readonly disposition: Disposition;
}

/** A trigger of a batch that found a run which the caller may not see. */
export interface RefusedTrigger {
  readonly disposition: 'refused';
  readonly error: DurablyError;
}

/** Triggers a run. It may be sent twice, and makes one run. */
export async function sendTrigger(
  transport: Transport,
  { idempotencyKeyReuse, ...given }: ClientTriggerRequest & ClientTriggerOptions,
  { signal }: CallOptions = {},
): Promise<TriggerAnswer> {
  const request = withKey(given);
  const { idempotencyKey } = request;
  // The header refuses another input, and the member of the body returns the first run.
  const headers = idempotencyKeyReuse === 'refuse' ? { 'idempotency-key': quoted(idempotencyKey) } : {};
  const answer = await transport.call(operations.trigger, { input: request, headers, signal });
  return toAnswer(answer.body, { answer, isOwnKey: given.idempotencyKey == null });
}

/** Triggers many runs. It may be sent twice, and makes each run once. */
export async function sendBatch(
  transport: Transport,
  given: readonly ClientTriggerRequest[],
  { signal }: CallOptions = {},
): Promise<(TriggerAnswer | RefusedTrigger)[]> {
  const answer = await transport.call(operations.batchTrigger, {
    input: { runs: given.map(withKey) },
    signal,
  });
  const runs: unknown[] = isObject(answer.body) && Array.isArray(answer.body.runs) ? answer.body.runs : [];
  if (runs.length !== given.length) throw unreadable(answer);
  return runs.map((run, index) => {
    if (isObject(run) && run.error !== undefined) {
      const {
        where,
        response: { status, headers },
      } = answer;
      return { disposition: 'refused', error: errorOfPart(run.error, { status, headers, where }) };
    }
    return toAnswer(run, { answer, isOwnKey: given[index]?.idempotencyKey == null });
  });
}

function withKey<T extends ClientTriggerRequest>(request: T): T & { readonly idempotencyKey: string } {
  return { ...request, idempotencyKey: request.idempotencyKey ?? newKey() };
}

/** `crypto.randomUUID` is missing on pages that were loaded without TLS. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `client-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** A string as structured fields have it (RFC 8941, 3.3.3). */
function quoted(key: string): string {
  return `"${key.replace(/["\\]/g, '\\$&')}"`;
}

const DISPOSITIONS: readonly Disposition[] = ['created', 'idempotent', 'coalesced', 'debounced'];

function toAnswer(
  given: unknown,
  { answer, isOwnKey }: { readonly answer: Answer; readonly isOwnKey: boolean },
): TriggerAnswer {
  if (!isObject(given) || typeof given.runId !== 'string') throw unreadable(answer);
  const disposition = DISPOSITIONS.find((each) => each === given.disposition);
  if (disposition === undefined) throw unreadable(answer);
  // Nobody else has the client's own key, so that the run which it found is that of an earlier try.
  const isEarlierTry = isOwnKey && disposition === 'idempotent';
  return { runId: given.runId, disposition: isEarlierTry ? 'created' : disposition };
}

/** The error of an answer that has another form than durably's. */
export function unreadable({ where, response: { status, headers } }: Answer): ServiceError {
  return new ServiceError(
    `${where} was answered with something else than expected: is it this durably's version?`,
    {
      status,
      requestId: requestIdOf(headers),
    },
  );
}
