import * as z from 'zod';
import { ValidationError } from '../core/errors/errors.ts';
import { checkMembers, type MembersOf } from '../core/validation/known-names.ts';
import { RequestError } from '../http/problem.ts';

/** One key and the name of its owner. */
export interface ApiKeyPair {
  readonly name: string;
  readonly key: string;
}

const PAIR: MembersOf<ApiKeyPair> = { name: true, key: true };

const API_KEY_RULE =
  'name:key pairs, split by commas: each name once, of 1 to 64 letters, digits, ".", "_" and "-"; ' +
  'each key once, of 16 to 512 printable ASCII characters without space and comma';

const NAME = /^[\w.-]{1,64}$/;
const KEY_CHARACTERS = /^[\x21-\x2b\x2d-\x7e]*$/;
const MIN_KEY_LENGTH = 16;
const MAX_KEY_LENGTH = 512;

/**
 * Says which pair is wrong and which rule it breaks, or undefined if all are valid. Never shows a key: if a
 * pair may have been written as `key:name`, its name is hidden too.
 */
function findFault(pairs: readonly ApiKeyPair[]): string | undefined {
  if (!Array.isArray(pairs)) return 'no list was given';
  if (pairs.length === 0) return 'there is no pair';
  const names = new Map<string, number>();
  const keys = new Map<string, number>();
  for (const [index, { name, key }] of pairs.entries()) {
    const position = index + 1;
    const sameName = names.get(name);
    const sameKey = keys.get(key);
    const rule = faultOf({ name, key });
    const isShown = NAME.test(name) && name.length < MIN_KEY_LENGTH;
    const pair = `pair ${position}${isShown ? ` (${name})` : ''}`;
    if (rule !== undefined) return `${pair}: ${rule}`;
    if (sameName !== undefined) return `${pair}: its name is that of pair ${sameName}`;
    if (sameKey !== undefined) return `${pair}: its key is that of pair ${sameKey}`;
    names.set(name, position);
    keys.set(key, position);
  }
  return undefined;
}

function faultOf({ name, key }: ApiKeyPair): string | undefined {
  if (typeof name !== 'string' || typeof key !== 'string') return 'its name and key must be strings';
  if (name === '') return 'it has no name';
  if (!NAME.test(name)) return 'its name must be of 1 to 64 letters, digits, ".", "_" and "-"';
  if (key === '') return 'it has no key: "name:key" is needed';
  if (!KEY_CHARACTERS.test(key))
    return 'its key must be of printable ASCII characters without space and comma';
  if (key.length < MIN_KEY_LENGTH) return `its key has less than ${MIN_KEY_LENGTH} characters`;
  if (key.length > MAX_KEY_LENGTH) return `its key has more than ${MAX_KEY_LENGTH} characters`;
  return undefined;
}

/** Parses `name:key,name:key` into pairs. A key may contain colons, a name may not. */
export const apiKeysText = z.string().transform((text, context): ApiKeyPair[] => {
  const pairs = text.split(',').map((pair) => {
    const [name = '', ...key] = pair.trim().split(':');
    return { name, key: key.join(':') };
  });
  const fault = findFault(pairs);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: `must be ${API_KEY_RULE}; ${fault}` });
  return pairs;
});

interface HashedKey {
  readonly name: string;
  /** SHA-256 of the key. */
  readonly hash: Uint8Array;
  /** Signs and verifies the tickets of this key. */
  readonly ticketSecret: CryptoKey;
}

/**
 * The API keys of the service. Only their hashes are kept.
 *
 * @throws {ValidationError} for a bad name or key. The message does not quote it.
 * @example
 * const apiKeys = await createApiKeys([{ name: 'dashboard', key: secrets.dashboardKey }])
 * createDurablyApp(durably, { apiKeys })
 */
export async function createApiKeys(pairs: readonly ApiKeyPair[]): Promise<ApiKeys> {
  if (Array.isArray(pairs)) for (const pair of pairs) checkMembers('API key member', pair, PAIR);
  const fault = findFault(pairs);
  if (fault !== undefined) throw new ValidationError(`apiKeys must be ${API_KEY_RULE}; ${fault}`);
  const hashed = pairs.map(async ({ name, key }): Promise<HashedKey> => {
    const hash = await sha256(key);
    return { name, hash, ticketSecret: await deriveTicketSecret(hash) };
  });
  return new ApiKeys(await Promise.all(hashed));
}

/** Keys that callers may bear. Made by {@link createApiKeys}. */
export class ApiKeys {
  readonly #keys: readonly HashedKey[];

  /** Create one with {@link createApiKeys}. */
  constructor(keys: readonly HashedKey[]) {
    this.#keys = keys;
  }

  /**
   * Finds the key in an `Authorization: Bearer` header. Pass this function to `createDurablyHandler` as
   * `auth.authenticate`.
   *
   * @throws {RequestError} UNAUTHORIZED
   */
  readonly authenticate = async (request: Request): Promise<{ readonly name: string }> => {
    const header = request.headers.get('authorization');
    if (header === null) throw unauthorized('An Authorization header with a Bearer key is required');
    const key = /^bearer +(\S+)$/i.exec(header)?.[1];
    const name = key === undefined ? undefined : await this.#nameOf(key);
    if (name === undefined) throw unauthorized('The key is not valid');
    return { name };
  };

  /** Undefined if no key has this name. */
  ticketSecretOf(name: string): CryptoKey | undefined {
    return this.#keys.find((known) => known.name === name)?.ticketSecret;
  }

  /** Compares every hash in full, so the time taken tells nothing about the key. */
  async #nameOf(key: string): Promise<string | undefined> {
    const hash = await sha256(key);
    let found: string | undefined;
    for (const known of this.#keys) {
      let difference = 0;
      for (const [at, byte] of known.hash.entries()) difference |= byte ^ (hash[at] ?? 0);
      if (difference === 0) found = known.name;
    }
    return found;
  }
}

/** The refusal of a request without a valid key or ticket. */
export function unauthorized(message: string): RequestError {
  return new RequestError('UNAUTHORIZED', message);
}

async function sha256(text: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
}

const HMAC = { name: 'HMAC', hash: 'SHA-256' };

/** Every instance with the same key derives the same secret. The secret does not reveal the key. */
async function deriveTicketSecret(hash: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const base = await crypto.subtle.importKey('raw', hash, HMAC, false, ['sign']);
  const derived = await crypto.subtle.sign('HMAC', base, new TextEncoder().encode('durably stream ticket'));
  return await crypto.subtle.importKey('raw', derived, HMAC, false, ['sign', 'verify']);
}
