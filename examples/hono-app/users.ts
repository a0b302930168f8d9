import { RequestError } from 'durably/server';

export interface User {
  readonly name: string;
}

/** Stands for your sessions: the tokens of two users. */
const USERS: ReadonlyMap<string, User> = new Map([
  ['ada-token', { name: 'ada' }],
  ['bob-token', { name: 'bob' }],
]);

/** @throws {RequestError} UNAUTHORIZED, which durably answers with 401 */
export function userOf(request: Request): User {
  const token = request.headers.get('authorization')?.replace('Bearer ', '');
  const user = USERS.get(token ?? '');
  if (user === undefined) throw new RequestError('UNAUTHORIZED', 'Who are you?');
  return user;
}
