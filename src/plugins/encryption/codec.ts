import { type EncryptionKey, parseEncryptionKeys } from '../../core/plugins/encryption-keys.ts';
import type { DurablyPlugin } from '../../core/plugins/plugin.ts';
import { fromBase64, toBase64 } from './base64.ts';

/** Marks what the plugin has stored, so it never changes. */
const NAME = 'durably/crypto';
/** Of what it has made: the version, the id of the key, and the nonce with the encrypted text. */
const CONTENT = /^1\.([\w-]{1,32})\.([\w+/]+={0,2})$/;
/** The nonce of AES-GCM. */
const NONCE_BYTES = 12;

/** The keys of {@link createCodec}. */
export interface CodecOptions {
  /** By ids of 1 to 32 letters, digits, `_` and `-`. What was encrypted with a key that is not here can't be read. */
  readonly keys: Readonly<Record<string, EncryptionKey>>;
  /** The id of the key that encrypts. */
  readonly current: string;
}

/** Encrypts payloads. Made by {@link createCodec}. */
export type Codec = DurablyPlugin & Required<Pick<DurablyPlugin, 'encode' | 'decode'>>;

/**
 * A plugin that encrypts payloads by AES-256-GCM, each with a nonce of its own, before they are stored.
 *
 * @throws {ValidationError} for a bad key or id. The message does not quote the key.
 * @example
 * import { createDurably } from 'durably'
 * import { createCodec } from 'durably/crypto'
 *
 * const codec = createCodec({ keys: { k1: secrets.encryptionKey }, current: 'k1' })
 * const durably = createDurably({ dialect, use: [codec] })
 */
export function createCodec(options: CodecOptions): Codec {
  const { keys, current } = parseEncryptionKeys(options);
  const imported = new Map<string, Promise<CryptoKey>>();
  const keyOf = (id: string): Promise<CryptoKey> => {
    const bytes = keys.get(id);
    if (bytes === undefined) throw new Error(`there is no key "${id}"`);
    const known =
      imported.get(id) ?? crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']);
    imported.set(id, known);
    return known;
  };
  return {
    name: NAME,
    async encode(text) {
      const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
      const key = await keyOf(current);
      const encrypted = await crypto.subtle.encrypt(
        parameters(current, nonce),
        key,
        new TextEncoder().encode(text),
      );
      const content = new Uint8Array(NONCE_BYTES + encrypted.byteLength);
      content.set(nonce);
      content.set(new Uint8Array(encrypted), NONCE_BYTES);
      return `1.${current}.${toBase64(content)}`;
    },
    async decode(encoded) {
      const [, id, base64] = CONTENT.exec(encoded) ?? [];
      if (id === undefined || base64 === undefined) throw new Error('it was not encrypted by this plugin');
      const key = await keyOf(id);
      const content = fromBase64(base64);
      const nonce = content.subarray(0, NONCE_BYTES);
      try {
        const text = await crypto.subtle.decrypt(parameters(id, nonce), key, content.subarray(NONCE_BYTES));
        return new TextDecoder('utf-8', { ignoreBOM: true }).decode(text);
      } catch {
        throw new Error(`it was changed, or the key "${id}" is another one`);
      }
    },
  };
}

/** What stands beside the encrypted text can't be changed either. */
function parameters(id: string, nonce: Uint8Array<ArrayBuffer>): AesGcmParams {
  return { name: 'AES-GCM', iv: nonce, additionalData: new TextEncoder().encode(`${NAME}/1/${id}`) };
}
