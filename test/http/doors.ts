import { createDurablyApp } from '../../src/app/create-app.ts';
import type { DurablyService } from '../../src/core/durably.ts';
import { createDurablyHandler } from '../../src/http/create-handler.ts';
import type { Operation } from '../../src/http/operation.ts';
import { operations } from '../../src/http/operations/index.ts';
import type { CreateDurablyHandlerOptions } from '../../src/http/pipeline.ts';

export const BASE = '/api/durably';
const ORIGIN = 'http://localhost:3000';

export type Send = (request: Request) => Promise<Response>;

/** The ways in which a request can reach an operation. All must answer alike. */
export const doors: readonly {
  readonly door: string;
  readonly open: (durably: DurablyService, options?: CreateDurablyHandlerOptions) => Send;
}[] = [
  {
    door: 'handle()',
    open: (durably, options) => {
      const handler = createDurablyHandler(durably, options);
      return (request) => handler.handle(request, BASE);
    },
  },
  {
    door: 'the Hono app',
    open: (durably, options) => {
      const app = createDurablyApp(durably, options);
      return async (request) => app.fetch(request);
    },
  },
  {
    door: 'individual handlers',
    open: (durably, options) => {
      const handler = createDurablyHandler(durably, options);
      return (request) => handler[operationFor(request).name](request);
    },
  },
];

function operationFor(request: Request) {
  const path = new URL(request.url).pathname.slice(BASE.length);
  const found = operations.find(
    (operation) => operation.path === path && operation.method === request.method,
  );
  if (found === undefined) throw new Error(`no operation at ${request.method} ${path}`);
  return found;
}

/** A request for a path below the base path. */
export function requestTo(path: string, init: RequestInit & { duplex?: 'half' } = {}): Request {
  return new Request(`${ORIGIN}${BASE}${path}`, init);
}

/** A valid request for the operation. */
export function validRequest(operation: Operation): Request {
  const body = bodyOf(operation);
  const path = pathOf(operation, 'run_1');
  const { method } = operation;
  if (body === undefined) return requestTo(path, { method });
  return method === 'POST' ? postJson(path, body) : requestTo(path, { method, body: JSON.stringify(body) });
}

/** A valid body for the operation; undefined if it takes none. */
export function bodyOf({ input }: Operation): object | undefined {
  if (input.from === 'query') return undefined;
  if ('runs' in input.schema.shape) return { runs: [{ jobName: 'greet' }] };
  if ('cron' in input.schema.shape) return { jobName: 'greet', cron: '@daily' };
  if ('jobName' in input.schema.shape) return { jobName: 'greet' };
  if ('delay' in input.schema.shape) return { delay: '1h' };
  return 'name' in input.schema.shape ? { name: 'approval' } : {};
}

/** An operation's path, with the id of the run or the name of the job if it takes one. */
export function pathOf({ path, input, guard }: Operation, runId: string): string {
  if ('id' in input.schema.shape) return `${path}?id=nightly`;
  if (guard.hook === 'onManage' && 'jobName' in input.schema.shape) return `${path}?jobName=greet`;
  if (!('runId' in input.schema.shape)) return path;
  return 'from' in input.schema.shape ? `${path}?runId=${runId}&from=one` : `${path}?runId=${runId}`;
}

export function postJson(path: string, body: unknown): Request {
  return requestTo(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

export interface ReadProblem {
  readonly status: number;
  readonly contentType: string | null;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export async function readProblem(response: Response): Promise<ReadProblem> {
  return {
    status: response.status,
    contentType: response.headers.get('content-type'),
    headers: response.headers,
    body: await response.json(),
  };
}
