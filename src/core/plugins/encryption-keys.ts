import { ValidationError } from '../errors/errors.ts';

/** A key of AES-256: 32 bytes, or their text as hex or as base64. */
export type EncryptionKey = Uint8Array | string;

const KEY_BYTES = 32;
const KEY_FORM = '32 bytes: a Uint8Array, 64 hex digits, or base64';
const ID = /^[\w-]{1,32}$/;
const ID_RULE = '1 to 32 letters, digits, "_" and "-"';
const HEX = /^[0-9a-f]{64}$/i;
/** Also with the characters that are safe in URLs, and without the padding. */
const BASE64 = /^[\w+/-]{43}=?$/;

/** The keys of a codec, by their ids. */
export interface EncryptionKeys {
  /** Their bytes. */
  readonly keys: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  /** The id of the key that encrypts. */
  readonly current: string;
}

/** @throws {ValidationError} that names what is wrong, and never shows a key. */
export function parseEncryptionKeys(given: {
  readonly keys: Readonly<Record<string, EncryptionKey>>;
  readonly current: string;
}): EncryptionKeys {
  const { keys, current } = given ?? {};
  if (typeof keys !== 'object' || keys === null)
    throw new ValidationError('keys must be an object of keys by ids');
  const parsed = new Map(Object.entries(keys).map(([id, key]) => [checkId(id), bytesOf(id, key)]));
  if (typeof current !== 'string' || !parsed.has(current)) {
    throw new ValidationError('current must be the id of one of the keys');
  }
  return { keys: parsed, current };
}

/**
 * Keys as a setting: `id:key`, split by commas, the current one first.
 *
 * @throws {ValidationError} that says which one is wrong, and never shows a key.
 */
export function readEncryptionKeys(text: string): {
  readonly keys: Readonly<Record<string, string>>;
  readonly current: string;
} {
  const pairs = text.split(',').map((pair, index) => {
    const [id = '', key, ...rest] = pair.trim().split(':');
    // It may be a key without an id, so it is not shown.
    if (key === undefined || rest.length > 0 || !ID.test(id))
      throw new ValidationError(`pair ${index + 1} is not an id of ${ID_RULE}, a colon and a key`);
    bytesOf(id, key);
    return [id, key] as const;
  });
  const ids = pairs.map(([id]) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) throw new ValidationError(`the id "${twice}" is there twice`);
  return { keys: Object.fromEntries(pairs), current: ids[0] ?? '' };
}

function checkId(id: string): string {
  if (ID.test(id)) return id;
  // Somebody may have confused it with the key.
  throw new ValidationError(`The id of a key must be ${ID_RULE}`);
}

function bytesOf(id: string, key: unknown): Uint8Array<ArrayBuffer> {
  const bytes =
    key instanceof Uint8Array ? new Uint8Array(key) : typeof key === 'string' ? fromText(key) : undefined;
  if (bytes?.length === KEY_BYTES) return bytes;
  throw new ValidationError(`The key "${id}" must be ${KEY_FORM}`);
}

function fromText(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (HEX.test(text)) return Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
  if (!BASE64.test(text)) return undefined;
  const standard = text.replaceAll('-', '+').replaceAll('_', '/');
  return Uint8Array.from(atob(standard), (character) => character.charCodeAt(0));
}
