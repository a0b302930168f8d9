import type { ClientOperation } from './operations.ts';

/** The input of an operation, by the names of its parameters and of the members of its body. */
export type Input = Readonly<Record<string, unknown>>;

/** A request that is ready to be sent. */
export interface PreparedRequest {
  readonly url: string;
  readonly init: RequestInit;
}

export interface RequestParts {
  readonly input: Input;
  readonly headers: Readonly<Record<string, string>>;
}

/** The request for an operation below a base URL, which may be a path in browsers. */
export function requestFor(
  base: string,
  { method, path, input: travel }: ClientOperation,
  { input, headers }: RequestParts,
): PreparedRequest {
  const inQuery = (name: string) => travel === 'query' || (travel !== 'body' && travel.query.includes(name));
  const members = Object.entries(input).filter(([, value]) => value !== undefined);
  const query = toQuery(members.filter(([name]) => inQuery(name)));
  const url = `${base}${path}${query === '' ? '' : `?${query}`}`;
  if (travel === 'query') return { url, init: { method, headers } };
  const body = JSON.stringify(Object.fromEntries(members.filter(([name]) => !inQuery(name))));
  return { url, init: { method, headers: { ...headers, 'content-type': 'application/json' }, body } };
}

/** Lists are repeated, and each label is a parameter of its own. */
function toQuery(members: readonly (readonly [name: string, value: unknown])[]): string {
  const query = new URLSearchParams();
  for (const [name, value] of members) {
    if (name === 'labels') {
      for (const [key, label] of Object.entries(Object(value))) query.append(`label.${key}`, textOf(label));
    } else {
      for (const each of Array.isArray(value) ? value : [value]) query.append(name, textOf(each));
    }
  }
  return query.toString();
}

function textOf(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value);
}
