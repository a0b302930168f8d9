import type { DurablyPlugin } from '../../src/core/plugins/plugin.ts';

/**
 * Makes every payload unreadable, differently each time. It decodes only what it has encoded, so what reached the database by
 * another way fails the test.
 */
export function unreadable(): DurablyPlugin {
  let salt = 0;
  return {
    name: 'unreadable',
    encode: async (text) => `${++salt % 10}${Buffer.from(text, 'utf8').reverse().toString('base64')}`,
    decode: async (encoded) => Buffer.from(encoded.slice(1), 'base64').reverse().toString('utf8'),
  };
}
