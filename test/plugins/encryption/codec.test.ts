import { describe, expect, it } from 'vitest';
import { createCodec } from '../../../src/crypto.ts';
import { ValidationError } from '../../../src/index.ts';

const bytes = (fill: number) => new Uint8Array(32).fill(fill);
const k1 = createCodec({ keys: { k1: bytes(1) }, current: 'k1' });

describe('a codec', () => {
  it.each([
    '',
    '"text"',
    '{"a":"ü€😀"}',
    '\ufeffwith a mark',
    JSON.stringify('\ud800'),
    'x'.repeat(1_000_001),
  ])('returns what was encoded', async (text) => {
    expect(await k1.decode(await k1.encode(text))).toBe(text);
  });

  it('encodes the same text differently each time', async () => {
    const encoded = await Promise.all(Array.from({ length: 100 }, () => k1.encode('same')));
    expect(new Set(encoded).size).toBe(100);
    for (const each of encoded) expect(each).not.toContain(Buffer.from('same').toString('base64'));
  });

  it('takes the same key as bytes, hex and base64', async () => {
    const encoded = await k1.encode('text');
    const buffer = Buffer.from(bytes(1));
    const texts = [
      buffer.toString('hex').toUpperCase(),
      buffer.toString('base64'),
      buffer.toString('base64url'),
    ];
    for (const key of [...texts, buffer]) {
      expect(await createCodec({ keys: { k1: key }, current: 'k1' }).decode(encoded)).toBe('text');
    }
  });

  it('keeps a key of its own: the bytes may be wiped', async () => {
    const key = bytes(1);
    const codec = createCodec({ keys: { k1: key }, current: 'k1' });
    key.fill(0);
    expect(await codec.decode(await k1.encode('text'))).toBe('text');
  });

  it('reads old values after the key was changed, and writes new ones with the new key', async () => {
    const old = await k1.encode('old');
    const both = createCodec({ keys: { k2: bytes(2), k1: bytes(1) }, current: 'k2' });
    expect(await both.decode(old)).toBe('old');
    const written = await both.encode('new');
    expect(await createCodec({ keys: { k2: bytes(2) }, current: 'k2' }).decode(written)).toBe('new');
    await expect(async () => await k1.decode(written)).rejects.toThrow('there is no key "k2"');
  });

  it('refuses what was changed, wherever it was', async () => {
    const encoded = await k1.encode('secret');
    const both = createCodec({ keys: { k1: bytes(1), k3: bytes(1) }, current: 'k1' });
    const [, , base64 = ''] = encoded.split('.');
    const content = Buffer.from(base64, 'base64');
    for (let at = 0; at < content.length; at++) {
      const changed = Buffer.from(content);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await expect(async () => await k1.decode(`1.k1.${changed.toString('base64')}`)).rejects.toThrow(
        'it was changed',
      );
    }
    for (const other of [`1.k3.${base64}`, `1.k1.${content.subarray(0, 20).toString('base64')}`]) {
      await expect(async () => await both.decode(other)).rejects.toThrow('it was changed');
    }
    for (const other of ['', 'secret', encoded.slice(2), `2${encoded.slice(1)}`, `1.k1.%%%`]) {
      await expect(async () => await k1.decode(other)).rejects.toThrow('not encrypted by this plugin');
    }
  });

  it('refuses another key with the same id', async () => {
    const other = createCodec({ keys: { k1: bytes(9) }, current: 'k1' });
    await expect(async () => await other.decode(await k1.encode('text'))).rejects.toThrow(
      'the key "k1" is another one',
    );
  });
});

describe('a bad key', () => {
  const secret = btoa('secret').repeat(5);
  it.each([
    ['too short', { keys: { k1: bytes(1).subarray(1) }, current: 'k1' }, 'The key "k1" must be 32 bytes'],
    ['bad text', { keys: { k1: secret }, current: 'k1' }, 'The key "k1" must be 32 bytes'],
    ['a number', { keys: { k1: 7 as unknown as string }, current: 'k1' }, 'The key "k1" must be 32 bytes'],
    ['as its id', { keys: { [secret]: bytes(1) }, current: secret }, 'The id of a key must be'],
    ['not there', { keys: { k1: bytes(1) }, current: secret }, 'current must be the id'],
    ['no keys', { keys: {}, current: 'k1' }, 'current must be the id'],
  ])('is refused by its name, and not shown: %s', (_what, options, message) => {
    const create = () => createCodec(options);
    expect(create).toThrow(ValidationError);
    expect(create).toThrow(message);
    expect(create).not.toThrow(secret);
  });
});
