import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Frame, FrameReader } from '../../src/client/frames.ts';

function framesOf(pieces: readonly Uint8Array[]): Frame[] {
  const reader = new FrameReader();
  return pieces.flatMap((piece) => reader.read(piece));
}

const bytes = (text: string) => new TextEncoder().encode(text);

const STREAM =
  '\uFEFFretry: 1000\n\nid: 24\n\n: keep-alive\n\nid: 25\ndata: {"a":"grüße 🙂\u2028"}\n\n' +
  'id:26\r\ndata:one\r\ndata\r\ndata:  three\r\n\r\nevent: x\rdata: y\r\r\nid: 27\ndata: cut of';

const FRAMES = [
  { id: '24', data: undefined },
  { id: '25', data: '{"a":"grüße 🙂\u2028"}' },
  { id: '26', data: 'one\n\n three' },
  { id: undefined, data: 'y' },
];

it('reads ids without data, all ends of lines and many lines of data, and leaves out a frame that was cut off', () => {
  expect(framesOf([bytes(STREAM)])).toEqual(FRAMES);
});

it('reads the same frames wherever the bytes were split', () => {
  const all = bytes(STREAM);
  fc.assert(
    fc.property(fc.array(fc.nat(all.length), { maxLength: 8 }), (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), all.length];
      const pieces = places.slice(1).map((end, index) => all.slice(places[index], end));
      expect(framesOf(pieces)).toEqual(FRAMES);
    }),
  );
  expect(framesOf([...all].map((byte) => Uint8Array.of(byte)))).toEqual(FRAMES);
});
