import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { expect } from 'vitest';
import type { DurablyPlugin } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { untilStatus } from '../../support/runs.ts';

const KIB = 1024;
const VALUE_CHARS = 200 * KIB;
const VALUES = 40;
/** What is passed on at once, in characters, and a single value may be larger. */
const LIST_CHARS = 128 * KIB;
const STREAM_CHARS = 1024 * KIB;

/** Compresses, and counts how much it has decoded. A value takes a thousandth of its size. */
function compressing() {
  const counted = { chars: 0 };
  const plugin: DurablyPlugin = {
    name: 'deflate',
    encode: (text) => deflateRawSync(text).toString('base64'),
    decode(encoded) {
      const text = inflateRawSync(Buffer.from(encoded, 'base64')).toString();
      counted.chars += text.length;
      return text;
    },
  };
  return { plugin, counted };
}

const large = (n: number) => String(n).padStart(VALUE_CHARS, '-');
/** It is too large to be read with its page, and much larger when it is decoded. */
const mixed = (n: number) =>
  Array.from({ length: 10 * KIB }, (_, i) => String.fromCharCode(33 + ((i * i * 31 + n * 7 + (i >> 3)) % 90)))
    .join('')
    .padStart(2 * VALUE_CHARS, '-');

contract(
  'values that are larger when they are decoded',
  (test) => {
    test('are passed on in lists as few at a time as large ones', async ({ world }) => {
      const { plugin, counted } = compressing();
      const { durably } = await world.start({ use: [plugin] });
      const task = job('task', async (step) => {
        for (let i = 0; i < VALUES; i++) {
          await step.run(`step ${i}`, () => large(i));
          step.log.info('line', large(i));
        }
      });
      durably.register({ task });
      const { id } = await durably.trigger({ jobName: 'task', input: 0 });
      await untilStatus(durably, id, 'completed');
      for (const list of [durably.asJson.steps(id), durably.asJson.logs({ runId: id })]) {
        counted.chars = 0;
        let passed = 0;
        let most = 0;
        for await (const piece of await list) {
          most = Math.max(most, counted.chars - passed);
          passed += piece.length;
        }
        expect(passed).toBeGreaterThan(VALUES * VALUE_CHARS);
        expect(most).toBeLessThan(LIST_CHARS + 2 * VALUE_CHARS);
      }
    });

    test('are passed on in streams as few at a time as large ones, once and in order', async ({ world }) => {
      const { plugin, counted } = compressing();
      const { durably } = await world.start({ use: [plugin] });
      const task = job('task', async (step) => {
        for (let i = 0; i < VALUES; i++)
          await step.run(`step ${i}`, () => (i % 3 === 0 ? mixed(i) : large(i)));
      });
      durably.register({ task });
      const { id } = await durably.trigger({ jobName: 'task', input: 0 });
      // One that follows the tail, and one that reads its own pages.
      const opened = await durably.openRunFeed(id);
      if (opened.kind !== 'open') throw new Error('no feed');
      const read = async (cursor: typeof opened.cursor) => {
        const outputs: string[] = [];
        let most = 0;
        for (;;) {
          counted.chars = 0;
          const events = await cursor.next();
          if (events === null) return { outputs, most };
          const chars = events.reduce((sum, { json }) => sum + json.length, 0);
          most = Math.max(most, counted.chars, chars);
          for (const { event } of events) {
            if (event.type === 'step:complete') outputs.push(String(event.output));
          }
        }
      };
      const expected = Array.from({ length: VALUES }, (_, i) => (i % 3 === 0 ? mixed(i) : large(i)));
      expect((await read(opened.cursor)).outputs).toEqual(expected);
      await untilStatus(durably, id, 'completed');
      const again = await durably.openRunFeed(id);
      if (again.kind !== 'open') throw new Error('no feed');
      const { outputs, most } = await read(again.cursor);
      expect(outputs).toEqual(expected);
      // A page is decoded up to a portion, of which a part is read again with the portion that it belongs to.
      expect(most).toBeLessThan(2 * STREAM_CHARS + 4 * VALUE_CHARS);
    });
  },
  ({ name }) => name === "the service's own on a file",
);
