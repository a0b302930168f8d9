import type { ServerResponse } from 'node:http';
import { createWebhooks, type WebhookEndpoint } from '../../../src/webhooks.ts';
import { listen } from './listening.ts';

/** `whsec_` and 24 bytes. */
export const SECRET = `whsec_${Buffer.from('a secret of 24 bytes, ok').toString('base64')}`;
export const OTHER_SECRET = `whsec_${Buffer.from('and another one of the 24').toString('base64')}`;

export interface Received {
  readonly path: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** The parsed body. */
  readonly body: {
    readonly type: string;
    readonly timestamp: string;
    readonly data: Record<string, unknown>;
  };
}

export type Answer = (response: ServerResponse, about: { readonly index: number }) => void;

/** A server that receives webhooks. It answers 204, unless told otherwise. */
export async function receiver(answer: Answer = (response) => response.writeHead(204).end()) {
  const received: Received[] = [];
  const { port } = await listen(async (request, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    const headers = request.headers as Record<string, string>;
    received.push({ path: request.url, headers, text, body: JSON.parse(text) });
    answer(response, { index: received.length - 1 });
  });
  const host = `localhost:${port}`;
  const url = `http://${host}/hooks`;
  return {
    received,
    host,
    url,
    /** Of one run. */
    of: (runId: string) => received.filter(({ body }) => body.data.id === runId),
    /** Webhooks that tell this server. */
    webhooks: (endpoint: Partial<WebhookEndpoint> = {}) =>
      createWebhooks({ endpoints: [{ url, secret: SECRET, ...endpoint }], allow: [host] }),
  };
}
