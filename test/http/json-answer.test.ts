import { describe, expect, it } from 'vitest';
import { bodyOf } from '../../src/http/json-answer.ts';

const KI = 1024;
const piece = (chars: number) => 'x'.repeat(chars);
const ignore = () => undefined;

/** Pieces, and how many of them were asked for. */
function piecesOf(texts: readonly string[], failure?: Error) {
  const told = { count: 0 };
  async function* pieces() {
    for (const text of texts) {
      told.count++;
      yield text;
    }
    if (failure !== undefined) throw failure;
  }
  return { told, pieces: pieces() };
}

async function textOf(body: BodyInit): Promise<string> {
  return await new Response(body).text();
}

describe('the body of a JSON answer', () => {
  it('is the text itself if it has one piece, and empty without any', async () => {
    expect(await bodyOf(piecesOf(['{"a":1}']).pieces, ignore)).toBe('{"a":1}');
    expect(await bodyOf(piecesOf([]).pieces, ignore)).toBe('');
  });

  it.each([
    { title: 'two short ones', texts: ['{"a":', '1}'] },
    { title: 'a value of 1 MiB and what surrounds it', texts: ['{"a":"', piece(KI * KI), '"}'] },
    { title: 'characters of several bytes', texts: ['"あ', 'é', '😀"'] },
    { title: 'a long value of such characters', texts: ['{"a":"x', '😀あ'.repeat(10_000), 'é', '","b":1}'] },
    { title: 'such characters at the end', texts: ['{"a":1', ',"b":"', '😀', '"}'] },
  ])('has the bytes of all pieces of a short answer: $title', async ({ texts }) => {
    const body = await bodyOf(piecesOf(texts).pieces, ignore);
    expect(body).toBeInstanceOf(Uint8Array);
    expect((await textOf(body)) === texts.join('')).toBe(true);
  });

  it('is a stream of a longer answer, whose pieces are made as the client reads', async () => {
    const texts = Array.from({ length: 40 }, () => piece(64 * KI));
    const { told, pieces } = piecesOf(texts);
    const body = await bodyOf(pieces, ignore);
    if (!(body instanceof ReadableStream)) throw new Error('it is no stream');
    expect(told.count).toBe(21);
    const reader = body.getReader();
    for (let i = 0; i < 22; i++) expect((await reader.read()).value).toHaveLength(64 * KI);
    expect(told.count).toBe(22);
    await reader.cancel();
  });

  it('begins with the pieces that were made to see how long it is', async () => {
    const texts = Array.from({ length: 40 }, (_, i) => String(i % 10).repeat(64 * KI));
    expect((await textOf(await bodyOf(piecesOf(texts).pieces, ignore))) === texts.join('')).toBe(true);
  });

  it('fails with the error of a short answer, which nobody has begun to read', async () => {
    const failure = new Error('gone');
    await expect(bodyOf(piecesOf(['[1', ',2'], failure).pieces, ignore)).rejects.toBe(failure);
  });

  it('breaks off a longer answer where it fails, and reports why without telling the client', async () => {
    const failure = new Error('gone');
    const reported: unknown[] = [];
    const texts = ['[', piece(2 * KI * KI)];
    const body = await bodyOf(piecesOf(texts, failure).pieces, (error) => void reported.push(error));
    await expect(textOf(body)).rejects.toThrow('the answer broke off');
    expect(reported).toEqual([failure]);
  });
});
