import type { ServerResponse } from 'node:http';
import type { HranaRequest } from './protocol.ts';

/** The fault of a request: how it fails, and whether it is executed anyway. `none` means no fault. */
export type Fault =
  | { readonly kind: 'none' }
  /** The connection dies. */
  | { readonly kind: 'drop'; readonly when: 'before' | 'after' }
  /** The answer never arrives. */
  | { readonly kind: 'hang'; readonly when: 'before' | 'after' }
  /** An answer from a proxy, or from the server outside of the protocol. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly when?: 'before' | 'after';
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The request is executed, and the connection dies in the middle of the answer. */
  | { readonly kind: 'half' }
  /** Each statement is answered with this error and not executed. */
  | { readonly kind: 'error'; readonly code: string };

export function isExecuted(fault: Fault): boolean {
  return fault.kind === 'half' || ('when' in fault && fault.when === 'after');
}

/** Answers according to the fault, or not at all. */
export function fail(response: ServerResponse, fault: Fault, requests: readonly HranaRequest[]): void {
  switch (fault.kind) {
    case 'drop':
      response.destroy();
      return;
    case 'half':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
      // Only after the headers and this part have been sent.
      response.write('{"baton": null, "results": [{"ty', () => response.destroy());
      return;
    case 'status': {
      const body = fault.body ?? `<html><h1>${fault.status}</h1></html>`;
      const type = body.startsWith('{') ? 'application/json' : 'text/html';
      response.writeHead(fault.status, { 'content-type': type, ...fault.headers }).end(body);
      return;
    }
    case 'error': {
      const error = { message: `SQLite error: ${fault.code}`, code: fault.code };
      const results = requests.map(({ type }) =>
        type === 'close' ? { type: 'ok', response: { type } } : { type: 'error', error },
      );
      return send(response, 200, { baton: null, base_url: null, results });
    }
    case 'hang':
    case 'none':
  }
}

export function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

export function sendText(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' }).end(body);
}
