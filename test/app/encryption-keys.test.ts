import { expect, it } from 'vitest';
import { describeUnknownNodeSettings, readConfig } from '../../src/app/config.ts';

const [one, two] = ['a1'.repeat(32), 'b2'.repeat(32)];

it('reads keys that encrypt payloads, the current one first', () => {
  const { DURABLY_ENCRYPTION_KEYS } = readConfig({ DURABLY_ENCRYPTION_KEYS: `new:${one}, old:${two}` });
  expect(DURABLY_ENCRYPTION_KEYS).toEqual({ keys: { new: one, old: two }, current: 'new' });
});

it.each([one, `k1:${'a1'.repeat(31)}`, `k1:x:${one}`, `k:${one},k:${one}`, `:${one}`])(
  'refuses bad keys that encrypt, and does not show them: %#',
  (text) => {
    const read = () => readConfig({ DURABLY_ENCRYPTION_KEYS: text });
    expect(read).toThrow(/^DURABLY_ENCRYPTION_KEYS must be id:key pairs/);
    expect(read).not.toThrow('a1a1');
  },
);

it('names the setting that was meant, without the value', () => {
  const line = describeUnknownNodeSettings({ DURABLY_ENCRYPTION_KEY: `k1:${one}` });
  expect(line).toContain('DURABLY_ENCRYPTION_KEY is unknown (did you mean DURABLY_ENCRYPTION_KEYS?)');
  expect(line).not.toContain('a1a1');
});
