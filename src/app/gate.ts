import { zValidator } from '@hono/zod-validator';
import type { Hono, MiddlewareHandler } from 'hono';
import type { z } from 'zod';
import type { DurablyService } from '../core/durably.ts';
import { NotFoundError } from '../core/errors/errors.ts';
import { knownMembers } from '../core/validation/issues.ts';
import { refuseBody } from '../http/body.ts';
import type { Operation } from '../http/operation.ts';
import { operations } from '../http/operations/index.ts';
import { toValidationError } from '../http/problem.ts';
import { wrongMethod } from '../http/routing.ts';
import { runIdParam } from '../http/schemas.ts';
import type { ApiKeys } from './api-keys.ts';
import { keptBody } from './kept-body.ts';
import { RateLimit } from './rate-limit.ts';
import { issueTicket, redeemTicket, type ticketSchema } from './stream-ticket.ts';

export const TICKET_PATH = '/stream-ticket';
/** Of a stream's query: what the gate reads. */
export const TICKET_PARAM = 'ticket';

/** What a ticket may be asked for with. */
export const ticketQuery = knownMembers('query parameter', {
  runId: runIdParam.optional().meta({ description: "Only for this run's stream" }),
});

export interface GateOptions {
  readonly basePath: string;
  readonly durably: DurablyService;
  readonly apiKeys: ApiKeys | undefined;
  readonly rateLimit: number | RateLimit | undefined;
  readonly maxBodyBytes: number;
}

/**
 * Lets nothing that is mounted after it be reached without a key, or more
 * often than the rate limit. A stream may be opened with a ticket instead.
 */
export function mountGate(app: Hono, options: GateOptions): void {
  const { basePath, apiKeys, rateLimit } = options;
  // Not in the context's variables, which an app around this one could have set.
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
    // A header, if there is one, decides alone.
    if (ticket !== undefined && c.req.header('authorization') === undefined) {
      // A stream of more than one run takes no notice of a `runId`.
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
    // A `runId` that is overlooked in a body would make a ticket for all runs.
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
