import * as z from 'zod';
import { ValidationError } from '../core/errors/errors.ts';
import { isSecretName } from '../core/errors/secrets.ts';
import { type KnownName, nearestName, shorten, unknownName } from '../core/validation/known-names.ts';
import { notThis } from '../core/validation/shown-value.ts';
import { onceFault } from './inputs/params.ts';
import { toValidationError } from './problem.ts';

/** Parameters that can also come in a header. The header wins, because a reconnecting EventSource sends it. */
export const headerOf: Readonly<Record<string, string>> = { lastEventId: 'Last-Event-ID' };

/** Parameters with many values. The part of a name after this prefix is the key of one value. */
export const prefixOf: Readonly<Record<string, string>> = { label: 'label.' };

/** Lists of plain names, which can also be separated by commas. */
const COMMA_LISTS: ReadonlySet<string> = new Set(['fields']);

type QueryValue = string | readonly string[];
type QueryValues = Record<string, QueryValue | Readonly<Record<string, QueryValue>>>;

/** The most parameters in one query: 20 values for each filter, and room for the others. */
export const MAX_QUERY_PARAMETERS = 100;

/**
 * Validates a request's query by a schema. Parameters that the schema does not name are refused.
 *
 * @param others parameters that hooks or the gate read.
 * @throws {ValidationError} for invalid, unknown or too many parameters, and for text that is not
 * percent-encoded UTF-8.
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
  const issues = (parsed.error?.issues ?? []).map((issue) => inHeader(issue, request, parameters));
  throw toValidationError({ issues: [...issues, ...unknown] });
}

/**
 * Collects the values of a schema's parameters before validation. A repeatable parameter gives a list, a
 * parameter with a prefix gives an object by key, and any other gives a string, or a list if it was repeated.
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
    // An EventSource that has not received an event yet sends an empty last event id.
    else if (header !== null || (first === '' && headerName !== undefined)) continue;
    else if (first !== undefined) values[name] = isList || texts.length > 1 ? texts : first;
  }
  return values;
}

/** Names the header that a refused value came in, instead of the parameter. */
function inHeader(issue: z.core.$ZodIssue, request: Request, { all }: Parameters): z.core.$ZodIssue {
  const [name] = issue.path;
  const header = all.find((parameter) => parameter.name === name)?.header;
  if (header === undefined || !request.headers.get(header)) return issue;
  return {
    ...issue,
    path: [header],
    message: issue.message.replace(String(name), () => `The header ${header}`),
  };
}

/** A parameter of a schema. */
interface Parameter {
  readonly name: string;
  readonly isList: boolean;
  /** For a parameter with many values: the prefix of their names. */
  readonly prefix: string | undefined;
  /** A header that can replace the parameter. */
  readonly header: string | undefined;
}

interface Parameters {
  readonly all: readonly Parameter[];
  /** The names of the parameters without a prefix. */
  readonly plain: readonly string[];
  readonly prefixes: readonly string[];
}

/** Caches the parameters of each schema. */
const known = new WeakMap<z.ZodObject, Parameters>();

function parametersOf(schema: z.ZodObject): Parameters {
  const parameters = known.get(schema) ?? toParameters(schema);
  known.set(schema, parameters);
  return parameters;
}

function toParameters({ shape }: z.ZodObject): Parameters {
  const all = Object.entries(shape).map(([name, schema]) => ({
    name,
    isList: isRepeatable(schema),
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
export function isRepeatable(schema: unknown): boolean {
  return schema instanceof z.ZodArray || (schema instanceof z.ZodOptional && isRepeatable(schema.unwrap()));
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
        unknown.push(issueOf(name, onceFault(name, texts.length)));
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

/** The correct spelling for a parameter with a prefix, using the key from a misspelled one such as `label[org]`. */
function meantWith(prefix: string, name: string): KnownName[] {
  const word = prefix.slice(0, -1);
  const [, head = '', key = ''] = /^([a-z]+)[^a-z0-9]+([\w./-]+)/i.exec(shorten(name)) ?? [];
  const isMeant = nearestName(head, [word]) !== undefined;
  return [
    ...(isMeant ? [{ spelled: name, shown: `${prefix}${key}` }] : []),
    { spelled: word, shown: `${prefix}<key>` },
  ];
}

/** The query of a request's URL with its `?`. Such a URL is in its normal form, so it need not be parsed. */
export function searchOf(url: string): string {
  return /^[^?#]*(\?[^#]*)?/.exec(url)?.[1] ?? '';
}

type GivenQuery = ReadonlyMap<string, readonly string[]>;

/** Refuses text that can't be decoded. URLSearchParams would replace it with U+FFFD. */
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
    const shown = isSecretName(name) ? '' : notThis(text);
    throw new ValidationError(`${shorten(name)} must be percent-encoded UTF-8${shown}`);
  }
}
