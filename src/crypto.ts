/** The door `durably/crypto`: payloads are encrypted before they are stored. */
export type { EncryptionKey } from './core/plugins/encryption-keys.ts';
export { type Codec, type CodecOptions, createCodec } from './plugins/encryption/codec.ts';
