import * as z from 'zod';
import { dropPromises } from '../errors/dropped.ts';
import { ERROR_DETAIL_MODES } from '../errors/error-detail.ts';
import { ValidationError } from '../errors/errors.ts';
import { isSecretName } from '../errors/secrets.ts';
import { checkMembers } from './known-names.ts';
import { refusalOf } from './refusal.ts';
import { notThis, shownValue } from './shown-value.ts';

/** A schema for each option of a type. It does not compile until it has a line for each. */
export type OptionSchemas<T> = { readonly [K in keyof Required<T>]: z.ZodType };

/**
 * Refuses unknown options and values of the wrong type. An option that is undefined counts as not
 * given.
 *
 * @param kind what an option is called, such as `stop option`.
 * @throws {ValidationError} that names each wrong option and what is expected, and shows the
 * given value unless the option may hold a secret.
 */
export function checkOptions(
  kind: string,
  given: unknown,
  schemas: Readonly<Record<string, z.ZodType>>,
): void {
  checkMembers(kind, given, schemas);
  const issues = Object.entries({ ...(given as object) }).flatMap(([name, value]) => {
    const parsed = value === undefined ? undefined : schemas[name]?.safeParse(value);
    const [wrong] = parsed?.error?.issues ?? [];
    return wrong === undefined
      ? []
      : [{ path: [name], message: `${name} ${wrong.message}${shownFor(name, value)}` }];
  });
  if (issues.length === 0) return;
  dropPromises(given);
  throw refusalOf(issues);
}

/** @throws {ValidationError} for a value that is no function. */
export function checkFunction(name: string, given: unknown): void {
  if (typeof given === 'function') return;
  throw new ValidationError(`${name} must be a function, not ${shownValue(given)}`);
}

/** An option that is checked elsewhere. */
export const anyOption: z.ZodType = z.any();

export const errorDetailOption: z.ZodType = z.enum(ERROR_DETAIL_MODES, "must be 'full' or 'message'");

export const functionOption = z.custom((value) => typeof value === 'function', 'must be a function');

export const listOption = (message: string): z.ZodType => z.custom(Array.isArray, message);

/** A signal may come from another realm, so its class says nothing. */
export const signalOption = objectWith(['addEventListener'], 'must be an AbortSignal');

/** An object that has these methods. */
export function objectWith(methods: readonly string[], message: string): z.ZodType {
  return z.custom((value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    return methods.every((method) => typeof Reflect.get(value, method) === 'function');
  }, message);
}

export const loggerOption = objectWith(
  ['info', 'warn', 'error'],
  'must have the functions info, warn and error',
);

/** A number. */
export function numberOption(isGood: (value: number) => boolean, expected: string): z.ZodType {
  return z.custom((value) => typeof value === 'number' && isGood(value), {
    error: `must be ${expected}`,
  });
}

/** A key for the service has at least so many characters. */
const MIN_SECRET_LENGTH = 16;

/** An option such as `apiKeys` may hold secrets, and any option may be given one by mistake. */
function shownFor(name: string, value: unknown): string {
  if (isSecretName(name)) return '';
  const mayBeSecret = typeof value === 'string' && value.length >= MIN_SECRET_LENGTH;
  return mayBeSecret ? `, not a text of ${value.length} characters` : notThis(value);
}
