import { NotFoundError } from '../../../src/core/errors/errors.ts';
import { operations } from '../../../src/http/operations/index.ts';
import { RequestError } from '../../../src/http/problem.ts';
import { isResponse } from '../../../src/http/response.ts';
import type { FakeDurably } from '../fake-durably.ts';

/** What `authenticate` returns in these tests. */
export interface Ada {
  readonly user: string;
}

export const ada: Ada = { user: 'Ada' };
export const authenticate = () => ada;
export const silent = { onError: () => {} };
/** The operations on one run. */
export const onRuns = operations.filter(({ guard }) => guard.hook === 'onRunAccess');

/** The calls of the operation itself to the service, besides loading the run for a hook. */
export const actsOf = (durably: FakeDurably, operation: { readonly name: string }) =>
  durably.calls
    .filter(({ method }) => method !== 'getRun' || operation.name === 'run')
    .map(({ method }) => method);

/** What a hook throws to refuse, and the status and code of the answer. */
export const refusals: readonly (readonly [string, unknown, number, string | null])[] = [
  ['a Response', new Response('no', { status: 418 }), 418, null],
  ['UNAUTHORIZED', new RequestError('UNAUTHORIZED', 'Who are you?'), 401, 'UNAUTHORIZED'],
  ['FORBIDDEN', new RequestError('FORBIDDEN', 'Not yours'), 403, 'FORBIDDEN'],
  ['an error of the engine', new NotFoundError('Run not found'), 404, 'NOT_FOUND'],
  ['anything else', new Error('secret'), 500, 'INTERNAL'],
  ['what is no error at all', undefined, 500, 'INTERNAL'],
];

/** A hook that refuses with this. */
export const throwing = (thrown: unknown) => () => {
  throw isResponse(thrown) ? thrown.clone() : thrown;
};
