import { zValidator } from '@hono/zod-validator';
import type { Hono, MiddlewareHandler } from 'hono';
import type { z } from 'zod';
import type { DurablyService } from '../core/durably.ts';
import { NotFoundError } from '../core/errors/errors.ts';
import { knownMembers } from '../core/validation/issues.ts';
import { refuseBody } from '../http/body.ts';
import { runIdParam } from '../http/inputs/params.ts';
import type { Operation } from '../http/operation.ts';
import { operations } from '../http/operations/index.ts';
import { toValidationError } from '../http/problem.ts';
import { wrongMethod } from '../http/routing.ts';
import type { ApiKeys } from './api-keys.ts';
import { keptBody } from './kept-body.ts';
import { RateLimit } from './rate-limit.ts';
import { issueTicket, redeemTicket, type ticketSchema } from './stream-ticket.ts';

export const TICKET_PATH = '/stream-ticket';
/** The query parameter of a stream that holds a ticket. */
export const TICKET_PARAM = 'ticket';

/** The query parameters of a request for a ticket. */
export const ticketQuery = knownMembers('query parameter', {
  runId: runIdParam.optional().meta({ description: "Makes a ticket that opens only this run's stream" }),
});

export interface GateOptions {
  readonly basePath: string;
  readonly durably: DurablyService;
  readonly apiKeys: ApiKeys | undefined;
  readonly rateLimit: number | RateLimit | undefined;
  readonly maxBodyBytes: number;
}

/**
 * Guards everything that is mounted after it with a key and the rate limit. A stream can be opened with a
 * ticket instead of a key.
 */
export function mountGate(app: Hono, options: GateOptions): void {
  const { basePath, apiKeys, rateLimit } = options;
  // Not stored in the context's variables: an outer app could have set those.
  const callers = new WeakMap<Request, string>();
  if (apiKeys !== undefined) {
    for (const operation of operations) {
      if (operation.answers !== 'events') continue;
      app.on(operation.method, [`${basePath}${operation.path}`], ticketGate(operation, { apiKeys, callers }));
    }
    app.use(keyGate(apiKeys, callers));
  }
  if (rateLimit !== undefined) {
    const limit = typeof rateLimit === 'number' ? new RateLimit(rateLimit) : rateLimit;
    app.use(limit.by((c) => callers.get(c.req.raw) ?? ''));
  }
  if (apiKeys !== undefined) mountTickets(app, { ...options, apiKeys, callers });
}

function ticketGate(
  { guard }: Operation,
  { apiKeys, callers }: { readonly apiKeys: ApiKeys; readonly callers: WeakMap<Request, string> },
): MiddlewareHandler {
  const isOfOneRun = guard.hook === 'onRunAccess';
  return async (c, next) => {
    const ticket = c.req.query(TICKET_PARAM);
    // If there is an `Authorization` header, the ticket is ignored.
    if (ticket !== undefined && c.req.header('authorization') === undefined) {
      // A stream of all runs ignores `runId`.
      const runIds = isOfOneRun ? (c.req.queries('runId') ?? []) : [];
      callers.set(c.req.raw, await redeemTicket(apiKeys, { ticket, runIds }));
    }
    await next();
  };
}

function keyGate(apiKeys: ApiKeys, callers: WeakMap<Request, string>): MiddlewareHandler {
  return async (c, next) => {
    if (!callers.has(c.req.raw)) callers.set(c.req.raw, (await apiKeys.authenticate(c.req.raw)).name);
    await next();
  };
}

function mountTickets(
  app: Hono,
  options: GateOptions & {
    readonly apiKeys: ApiKeys;
    readonly callers: WeakMap<Request, string>;
  },
): void {
  const { basePath, apiKeys, callers, durably, maxBodyBytes } = options;
  const path = `${basePath}${TICKET_PATH}`;
  const query = zValidator('query', ticketQuery, (result) => {
    if (!result.success) throw toValidationError(result.error);
  });
  app.post(path, query, async (c) => {
    // A `runId` in the body would be overlooked, and the ticket would be valid for all runs.
    const params = Object.keys(ticketQuery.shape);
    await refuseBody(c.req.raw, { params, maxBytes: maxBodyBytes, kept: keptBody(c) });
    const { runId } = c.req.valid('query');
    if (runId !== undefined && (await durably.asJson.run(runId)) === null) {
      throw new NotFoundError('Run not found');
    }
    const name = callers.get(c.req.raw) ?? '';
    const ticket: z.infer<typeof ticketSchema> = await issueTicket(apiKeys, {
      name,
      runId,
    });
    return c.json(ticket, 200, { 'cache-control': 'no-store' });
  });
  app.all(path, (c) => {
    throw wrongMethod(c.req.method, ['POST']);
  });
}
