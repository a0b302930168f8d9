import { z } from 'zod';

const eventSchema = z.looseObject({
  type: z.string(),
  sequence: z.int(),
  stepName: z.string().nullish(),
  attempt: z.int().optional(),
  progress: z.object({ current: z.number(), total: z.number().optional() }).optional(),
  error: z.string().optional(),
});

export type RunEvent = z.output<typeof eventSchema>;

/**
 * Yields a run's events over SSE, from `lastEventId` if it is given. Ends with the run, or when the connection
 * breaks. In that case the caller reconnects.
 */
export async function* followRun(
  url: string,
  options: { lastEventId?: string | undefined; signal: AbortSignal },
): AsyncGenerator<{ id: string; event: RunEvent }> {
  const headers = options.lastEventId === undefined ? {} : { 'last-event-id': options.lastEventId };
  const response = await fetch(url, { headers, signal: options.signal });
  if (response.status === 204 || response.body === null) return;
  if (!response.ok) throw new Error(`GET ${url} answered ${response.status}: ${await response.text()}`);
  for await (const frame of framesOf(response.body)) {
    const id = fieldOf(frame, 'id');
    const data = fieldOf(frame, 'data');
    if (id !== undefined && data !== undefined) yield { id, event: eventSchema.parse(JSON.parse(data)) };
  }
}

async function* framesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const chunk of body) {
      const frames = (text + decoder.decode(chunk, { stream: true })).split('\n\n');
      text = frames.pop() ?? '';
      yield* frames;
    }
  } catch (error) {
    // Node's fetch throws `terminated` when the other side disappears.
    if (!(error instanceof TypeError)) throw error;
  }
}

function fieldOf(frame: string, name: string): string | undefined {
  const line = frame.split('\n').find((each) => each.startsWith(`${name}:`));
  return line?.slice(name.length + 1).trim();
}
