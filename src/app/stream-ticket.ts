// Not from `hono/jwt`, whose middleware a Worker would have to carry along.
import { decode, sign, verify } from 'hono/utils/jwt/jwt';
import * as z from 'zod';
import { systemClock } from '../core/time/clock.ts';
import { type ApiKeys, unauthorized } from './api-keys.ts';

/** The lifetime of a ticket. A stream that is already open stays open. */
export const TICKET_SECONDS = 60;

const ALGORITHM = 'HS256';
const AUDIENCE = 'durably:stream';

export const ticketSchema = z
  .object({
    ticket: z.string().meta({ description: 'The value of the query parameter `ticket` of a stream' }),
    expiresAt: z.iso.datetime(),
  })
  .meta({ id: 'StreamTicket' });

const claimsSchema = z.object({
  /** The name of the key that signed the ticket. */
  sub: z.string(),
  aud: z.literal(AUDIENCE),
  exp: z.int(),
  /** The ticket opens only this run's stream. */
  runId: z.string().optional(),
});

/**
 * A signed permission to open event streams, for clients that can't send a header, such as a browser's
 * EventSource. It is valid at every instance that has the same key.
 */
export async function issueTicket(
  apiKeys: ApiKeys,
  { name, runId }: { readonly name: string; readonly runId: string | undefined },
): Promise<z.infer<typeof ticketSchema>> {
  const secret = apiKeys.ticketSecretOf(name);
  if (secret === undefined) throw unauthorized('The key is not valid');
  const exp = Math.floor(systemClock.now() / 1000) + TICKET_SECONDS;
  const claims: z.infer<typeof claimsSchema> = { sub: name, aud: AUDIENCE, exp, ...(runId && { runId }) };
  const ticket = await sign(claims, secret, ALGORITHM);
  return { ticket, expiresAt: new Date(exp * 1000).toISOString() };
}

/**
 * Verifies a ticket and returns the name of the key that signed it.
 *
 * @param asked.runIds the runs that the request asks for.
 * @throws {RequestError} UNAUTHORIZED
 */
export async function redeemTicket(
  apiKeys: ApiKeys,
  asked: { readonly ticket: string; readonly runIds: readonly string[] },
): Promise<string> {
  const claims = await readClaims(apiKeys, asked.ticket);
  const { runIds } = asked;
  const isForThis =
    claims !== undefined &&
    (claims.runId === undefined || (runIds.length === 1 && runIds[0] === claims.runId));
  if (!isForThis) throw unauthorized('The ticket is not valid, or not any more: ask for a new one');
  return claims.sub;
}

async function readClaims(apiKeys: ApiKeys, ticket: string) {
  try {
    const { sub } = claimsSchema.parse(decode(ticket).payload);
    const secret = apiKeys.ticketSecretOf(sub);
    if (secret === undefined) return undefined;
    return claimsSchema.parse(await verify(ticket, secret, { alg: ALGORITHM, aud: AUDIENCE }));
  } catch {
    // All failures give the same message, because the library's own messages quote the ticket.
    return undefined;
  }
}
