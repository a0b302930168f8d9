import type { Field } from './schema-fields.ts';

/** What the reader has entered: null, a checkbox, or a text. */
export type FormValue = string | boolean | null;

/** What the reader has entered, by {@link keyOf}. A field that is missing was not touched. */
export type FormValues = Readonly<Record<string, FormValue>>;

/** What is wrong, by {@link keyOf}. */
export type FormIssues = Readonly<Record<string, string>>;

export const keyOf = (path: readonly (string | number)[]): string => JSON.stringify(path.map(String));

export interface FormInput {
  readonly input: Readonly<Record<string, unknown>>;
  readonly issues: FormIssues;
}

/** Nothing else is a number to a reader. To JavaScript, a blank is one too. */
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

const ABSENT = Symbol('absent');

/** The input that the fields make, and what is wrong with it. Fields that are empty and not required are left out. */
export function inputOf(fields: readonly Field[], values: FormValues): FormInput {
  const issues: Record<string, string> = {};
  const input: Record<string, unknown> = {};
  for (const field of fields) {
    const value = readField(field, values, issues);
    if (value !== ABSENT) {
      // A member named `__proto__` is one like any other.
      Object.defineProperty(input, field.name, {
        value,
        enumerable: true,
        writable: true,
        configurable: true,
      });
    }
  }
  return { input, issues };
}

function readField(field: Field, values: FormValues, issues: Record<string, string>): unknown {
  const { what, path, isRequired } = field;
  const key = keyOf(path);
  const given = values[key];
  if (given === null) return null;
  if (what.kind === 'group') {
    const inner = inputOf(what.fields, values);
    if (!isRequired && !what.fields.some((one) => isTouched(one, values))) return ABSENT;
    Object.assign(issues, inner.issues);
    return inner.input;
  }
  if (what.kind === 'boolean') {
    if (given === undefined) return isRequired ? false : ABSENT;
    return given === true;
  }
  if (typeof given !== 'string' || given === '') {
    if (isRequired && what.kind === 'lines') return noLines(field, issues);
    // An empty text is a text, but it is rather one that was not given.
    if (isRequired) issues[key] = 'Is required';
    return ABSENT;
  }
  const { value, issue } = parsed(field, given);
  if (issue !== undefined) issues[key] = issue;
  return value;
}

/** A list that must be given, and has no line, is an empty one. */
function noLines({ path, schema }: Field, issues: Record<string, string>): readonly string[] {
  if (typeof schema.minItems === 'number' && schema.minItems > 0) issues[keyOf(path)] = 'Is required';
  return [];
}

/** Whether the reader has entered something in a field, or in one below it. */
function isTouched({ what, path }: Field, values: FormValues): boolean {
  if (values[keyOf(path)] === null) return true;
  if (what.kind === 'group') return what.fields.some((one) => isTouched(one, values));
  const given = values[keyOf(path)];
  return given !== undefined && given !== '';
}

function parsed(
  { what, schema }: Field,
  given: string,
): { readonly value: unknown; readonly issue?: string } {
  switch (what.kind) {
    case 'number': {
      const value = DECIMAL.test(given.trim()) ? Number(given) : Number.NaN;
      if (!Number.isFinite(value)) return { value: given, issue: 'Must be a number' };
      return withIssue(value, numberIssue(value, what.isWhole, schema));
    }
    case 'choice':
      return { value: what.values.find((one) => String(one) === given) ?? given };
    case 'lines':
      return { value: given.split('\n').filter((line) => line !== '') };
    case 'json':
      try {
        return { value: JSON.parse(given) };
      } catch {
        return { value: given, issue: 'Must be JSON' };
      }
    default:
      return withIssue(given, textIssue(given, schema));
  }
}

const withIssue = (value: unknown, issue: string | undefined) =>
  issue === undefined ? { value } : { value, issue };

function numberIssue(value: number, isWhole: boolean, schema: Schema): string | undefined {
  if (isWhole && !Number.isInteger(value)) return 'Must be a whole number';
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  if (typeof minimum === 'number' && value < minimum) return `Must be at least ${minimum}`;
  if (typeof exclusiveMinimum === 'number' && value <= exclusiveMinimum)
    return `Must be more than ${exclusiveMinimum}`;
  if (typeof maximum === 'number' && value > maximum) return `Must be at most ${maximum}`;
  if (typeof exclusiveMaximum === 'number' && value >= exclusiveMaximum)
    return `Must be less than ${exclusiveMaximum}`;
  return undefined;
}

type Schema = Field['schema'];

function textIssue(value: string, { minLength, maxLength, pattern }: Schema): string | undefined {
  if (typeof minLength === 'number' && value.length < minLength)
    return `Must have at least ${minLength} characters`;
  if (typeof maxLength === 'number' && value.length > maxLength)
    return `Must have at most ${maxLength} characters`;
  if (typeof pattern === 'string' && !matches(pattern, value)) return `Must match ${pattern}`;
  return undefined;
}

/** The service has the last word on a pattern that this browser can't read. */
function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(value);
  } catch {
    return true;
  }
}
