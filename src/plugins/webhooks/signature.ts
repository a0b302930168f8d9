import { createHmac } from 'node:crypto';

// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

const PREFIX = 'whsec_';
const MIN_BYTES = 24;
const MAX_BYTES = 64;
/** The current one, and one that is about to go. */
const MAX_SECRETS = 2;

export const SECRET_RULE = `must be ${PREFIX} and the base64 of ${MIN_BYTES} to ${MAX_BYTES} bytes, or a list of two such secrets while one replaces the other`;

/** The keys of a secret, or of the two between which is rotated. Undefined for something else. */
export function parseSecrets(given: unknown): readonly Buffer[] | undefined {
  const texts: readonly unknown[] = Array.isArray(given) ? given : [given];
  const keys = texts.map(parseSecret);
  if (keys.length === 0 || keys.length > MAX_SECRETS) return undefined;
  const known = keys.filter((key) => key !== undefined);
  return known.length === keys.length ? known : undefined;
}

function parseSecret(text: unknown): Buffer | undefined {
  if (typeof text !== 'string' || !text.startsWith(PREFIX)) return undefined;
  const encoded = text.slice(PREFIX.length);
  const key = Buffer.from(encoded, 'base64');
  const isWhole = key.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '');
  return isWhole && key.length >= MIN_BYTES && key.length <= MAX_BYTES ? key : undefined;
}

export interface SignedMessage {
  /** The same for all tries. */
  readonly id: string;
  /** When it is sent, in seconds since the epoch. */
  readonly timestamp: number;
  readonly body: string;
}

/** The headers by which a receiver knows the sender: one signature for each key. */
export function signedHeaders(
  { id, timestamp, body }: SignedMessage,
  keys: readonly Buffer[],
): Readonly<Record<string, string>> {
  const signatures = keys.map(
    (key) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
  );
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}
