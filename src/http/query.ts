import { z } from 'zod';
import { ValidationError } from '../core/errors.ts';

/** Parameters that a header may give too. The header wins: it is what a reconnecting EventSource sends. */
export const headerOf: Readonly<Record<string, string>> = { lastEventId: 'Last-Event-ID' };

/** Parameters that are many: what follows this in a name is the key of one. */
export const prefixOf: Readonly<Record<string, string>> = { label: 'label.' };

/** Parameters that are lists of plain names: commas may split them, too. */
const COMMA_LISTS: ReadonlySet<string> = new Set(['fields']);

type QueryValue = string | readonly string[];
export type QueryValues = Record<string, QueryValue | Readonly<Record<string, QueryValue>>>;

/**
 * The parameters that a schema asks for, not yet validated: a list for those
 * that may be repeated, a string for others unless they were repeated, an object
 * by key for those of a prefix.
 *
 * @throws {ValidationError} for percent-encoding that isn't UTF-8.
 */
export function readQuery(request: Request, { shape }: z.ZodObject): QueryValues {
  const given = decodeQuery(searchOf(request.url));
  const values: QueryValues = {};
  for (const [name, schema] of Object.entries(shape)) {
    const prefix = prefixOf[name];
    if (prefix !== undefined) {
      const keyed = withPrefix(given, prefix);
      if (Object.keys(keyed).length > 0) values[name] = keyed;
      continue;
    }
    const texts = textsOf(name, given);
    const [first] = texts;
    const header = headerOf[name] === undefined ? null : request.headers.get(headerOf[name]);
    if (header) values[name] = header;
    // An EventSource that has seen no event yet has an empty last event id.
    else if (header !== null || (first === '' && name in headerOf)) continue;
    else if (first !== undefined) values[name] = isList(schema) || texts.length > 1 ? texts : first;
  }
  return values;
}

function textsOf(name: string, given: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const texts = given.get(name) ?? [];
  return COMMA_LISTS.has(name) ? texts.flatMap((text) => text.split(',')) : texts;
}

/** Whether a parameter may be repeated. */
export function isList(schema: unknown): boolean {
  return schema instanceof z.ZodArray || (schema instanceof z.ZodOptional && isList(schema.unwrap()));
}

function withPrefix(given: ReadonlyMap<string, readonly string[]>, prefix: string) {
  const keyed = [...given].filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(
    keyed.map(([name, texts]): [string, QueryValue] => {
      const [first = ''] = texts;
      return [name.slice(prefix.length), texts.length > 1 ? texts : first];
    }),
  );
}

/** Of a URL in its normal form, which a request's is. */
function searchOf(url: string): string {
  return /^[^?#]*(\?[^#]*)?/.exec(url)?.[1] ?? '';
}

/** Unlike URLSearchParams, refuses what it can't decode instead of putting U+FFFD in its place. */
function decodeQuery(search: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const pair of search.slice(1).split('&')) {
    const [encodedName = '', ...rest] = pair.split('=');
    const name = decode(encodedName, encodedName);
    const text = decode(rest.join('='), name);
    values.set(name, [...(values.get(name) ?? []), text]);
  }
  return values;
}

function decode(text: string, name: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new ValidationError(`${name} is not percent-encoded UTF-8`);
  }
}
