import { expect } from 'vitest';

export interface Frame {
  readonly id: string | undefined;
  readonly data: { type: string; sequence: number; runId: string; [field: string]: unknown } | undefined;
  readonly text: string;
}

function toFrame(text: string): Frame {
  const data = /^data: (.*)$/m.exec(text)?.[1];
  return { id: /^id: (.*)$/m.exec(text)?.[1], data: data === undefined ? undefined : JSON.parse(data), text };
}

/** The frames of a stream, to its end or until `until` is fulfilled. */
export async function framesOf(
  response: Response,
  until: (frame: Frame) => boolean = () => false,
): Promise<Frame[]> {
  expect(response.status).toBe(200);
  const frames: Frame[] = [];
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of response.body ?? []) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split('\n\n');
    rest = parts.pop() ?? '';
    frames.push(...parts.filter((part) => !part.startsWith(':')).map(toFrame));
    if (frames.some(until)) break;
  }
  expect(rest).toBe('');
  return frames;
}

export const typesOf = (frames: readonly Frame[]) =>
  frames.flatMap(({ data }) => (data === undefined ? [] : [data.type]));
