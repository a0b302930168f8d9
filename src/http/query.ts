import { z } from 'zod';
import { ValidationError } from '../core/errors/errors.ts';
import { type KnownName, nearestName, shorten, unknownName } from '../core/validation/known-names.ts';
import { toValidationError } from './problem.ts';

/** Parameters that a header may give too. The header wins: it is what a reconnecting EventSource sends. */
export const headerOf: Readonly<Record<string, string>> = { lastEventId: 'Last-Event-ID' };

/** Parameters that are many: what follows this in a name is the key of one. */
export const prefixOf: Readonly<Record<string, string>> = { label: 'label.' };

/** Parameters that are lists of plain names: commas may split them, too. */
const COMMA_LISTS: ReadonlySet<string> = new Set(['fields']);

type QueryValue = string | readonly string[];
type QueryValues = Record<string, QueryValue | Readonly<Record<string, QueryValue>>>;

/** A query that gives more than this is refused: 20 values for each filter, and room for the others. */
export const MAX_QUERY_PARAMETERS = 100;

/**
 * What a schema makes of a request's query. Whatever it doesn't name is refused.
 *
 * @param others parameters that others read: hooks, or the gate.
 * @throws {ValidationError} for what is not valid, not known, too much or not percent-encoded UTF-8.
 */
export function parseQuery<TSchema extends z.ZodObject>(
  request: Request,
  schema: TSchema,
  others: readonly string[] = [],
): z.output<TSchema> {
  const given = decodeQuery(searchOf(request.url));
  const parameters = parametersOf(schema);
  const parsed = schema.safeParse(valuesOf(given, request, parameters));
  const unknown = unknownParameters(given, parameters, others);
  if (parsed.success && unknown.length === 0) return parsed.data;
  throw toValidationError({ issues: [...(parsed.error?.issues ?? []), ...unknown] });
}

/**
 * The parameters that a schema asks for, not yet validated: a list for those
 * that may be repeated, a string for others unless they were repeated, an object
 * by key for those of a prefix.
 */
function valuesOf(given: GivenQuery, request: Request, { all }: Parameters): QueryValues {
  const values: QueryValues = {};
  for (const { name, isList, prefix, header: headerName } of all) {
    if (prefix !== undefined) {
      const keyed = withPrefix(given, prefix);
      if (Object.keys(keyed).length > 0) values[name] = keyed;
      continue;
    }
    const texts = textsOf(name, given);
    const [first] = texts;
    const header = headerName === undefined ? null : request.headers.get(headerName);
    if (header) values[name] = header;
    // An EventSource that has seen no event yet has an empty last event id.
    else if (header !== null || (first === '' && headerName !== undefined)) continue;
    else if (first !== undefined) values[name] = isList || texts.length > 1 ? texts : first;
  }
  return values;
}

/** A parameter that a schema asks for. */
interface Parameter {
  readonly name: string;
  readonly isList: boolean;
  /** Of many: what their names begin with. */
  readonly prefix: string | undefined;
  /** A header that may give it too. */
  readonly header: string | undefined;
}

interface Parameters {
  readonly all: readonly Parameter[];
  /** The names of those that have no prefix. */
  readonly plain: readonly string[];
  readonly prefixes: readonly string[];
}

/** What was made of a schema once. */
const known = new WeakMap<z.ZodObject, Parameters>();

function parametersOf(schema: z.ZodObject): Parameters {
  const parameters = known.get(schema) ?? toParameters(schema);
  known.set(schema, parameters);
  return parameters;
}

function toParameters({ shape }: z.ZodObject): Parameters {
  const all = Object.entries(shape).map(([name, schema]) => ({
    name,
    isList: isList(schema),
    prefix: prefixOf[name],
    header: headerOf[name],
  }));
  return {
    all,
    plain: all.flatMap(({ name, prefix }) => (prefix === undefined ? [name] : [])),
    prefixes: all.flatMap(({ prefix }) => prefix ?? []),
  };
}

function textsOf(name: string, given: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const texts = given.get(name);
  if (texts === undefined) return [];
  return COMMA_LISTS.has(name) ? texts.flatMap((text) => text.split(',')) : texts;
}

/** Whether a parameter may be repeated. */
export function isList(schema: unknown): boolean {
  return schema instanceof z.ZodArray || (schema instanceof z.ZodOptional && isList(schema.unwrap()));
}

function withPrefix(given: GivenQuery, prefix: string) {
  const keyed = [...given].filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(
    keyed.map(([name, texts]): [string, QueryValue] => {
      const [first = ''] = texts;
      return [name.slice(prefix.length), texts.length > 1 ? texts : first];
    }),
  );
}

function unknownParameters(
  given: GivenQuery,
  { plain, prefixes }: Parameters,
  others: readonly string[],
): z.core.$ZodIssue[] {
  const unknown: z.core.$ZodIssue[] = [];
  for (const [name, texts] of given) {
    if (others.includes(name)) {
      if (texts.length > 1 && !plain.includes(name))
        unknown.push(issueOf(name, `${name} must be given once`));
    } else if (!plain.includes(name) && !prefixes.some((prefix) => name.startsWith(prefix))) {
      const meant = [...plain, ...others, ...prefixes.flatMap((prefix) => meantWith(prefix, name))];
      unknown.push(issueOf(name, unknownName('query parameter', name, meant)));
    }
  }
  return unknown;
}

function issueOf(name: string, message: string): z.core.$ZodIssue {
  return { code: 'custom', input: undefined, path: [name], message };
}

/** How a prefix's parameters are written: with the key that was given in another spelling, as in `label[org]`. */
function meantWith(prefix: string, name: string): KnownName[] {
  const word = prefix.slice(0, -1);
  const [, head = '', key = ''] = /^([a-z]+)[^a-z0-9]+([\w./-]+)/i.exec(shorten(name)) ?? [];
  const isMeant = nearestName(head, [word]) !== undefined;
  return [
    ...(isMeant ? [{ spelled: name, shown: `${prefix}${key}` }] : []),
    { spelled: word, shown: `${prefix}<key>` },
  ];
}

/** Whether a request has any. */
export function hasQuery({ url }: Request): boolean {
  return url.includes('?');
}

/** The query of a request's URL with its `?`. Such a URL is in its normal form, so it need not be parsed. */
export function searchOf(url: string): string {
  return /^[^?#]*(\?[^#]*)?/.exec(url)?.[1] ?? '';
}

type GivenQuery = ReadonlyMap<string, readonly string[]>;

/** Unlike URLSearchParams, refuses what it can't decode instead of putting U+FFFD in its place. */
function decodeQuery(search: string): GivenQuery {
  const values = new Map<string, string[]>();
  let parameters = 0;
  for (let start = 1; start < search.length; ) {
    const end = indexOrEnd(search, '&', start);
    if (++parameters > MAX_QUERY_PARAMETERS) {
      throw new ValidationError(`The query must have at most ${MAX_QUERY_PARAMETERS} parameters`);
    }
    if (end > start) addParameter(values, search.slice(start, end));
    start = end + 1;
  }
  return values;
}

function addParameter(values: Map<string, string[]>, pair: string): void {
  const equals = indexOrEnd(pair, '=', 0);
  const encodedName = pair.slice(0, equals);
  const name = decode(encodedName, encodedName);
  const text = decode(pair.slice(equals + 1), name);
  const texts = values.get(name);
  if (texts === undefined) values.set(name, [text]);
  else texts.push(text);
}

function indexOrEnd(text: string, character: string, from: number): number {
  const at = text.indexOf(character, from);
  return at === -1 ? text.length : at;
}

function decode(text: string, name: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new ValidationError(`${shorten(name)} is not percent-encoded UTF-8`);
  }
}
