import { ValidationError } from '../../core/errors/errors.ts';
import { shownValue } from '../../core/validation/shown-value.ts';

/**
 * The header of draft-ietf-httpapi-idempotency-key-header. Its value is a string in quotes, as structured fields have it
 * (RFC 8941, 3.3.3). Many clients leave the quotes out, so a text without quotes is its own value.
 */
export const IDEMPOTENCY_HEADER = 'Idempotency-Key';

/** Its description in openapi.yaml. */
export const IDEMPOTENCY_PARAMETER = {
  name: IDEMPOTENCY_HEADER,
  in: 'header',
  required: false,
  description:
    'The same as `idempotencyKey`, but a second request with another input is refused with 422. In quotes or without',
  schema: { type: 'string' },
} as const;

/** The members that the header adds to a trigger. @throws {ValidationError} for a bad header, and for two different keys. */
export function withIdempotencyHeader<T extends Record<string, unknown>>(
  header: string,
  trigger: T,
): T & Record<string, unknown> {
  const key = keyOf(header);
  if (trigger.idempotencyKey !== undefined && trigger.idempotencyKey !== key) {
    throw refusal(
      `${shownValue(key)} does not go with idempotencyKey ${shownValue(trigger.idempotencyKey)} of the body`,
    );
  }
  return { ...trigger, idempotencyKey: key, idempotencyKeyReuse: 'refuse' };
}

/** The error for the header on an operation that takes none. */
export function refusedIdempotencyHeader(): ValidationError {
  return refusal('is for a single trigger: give each run an idempotencyKey');
}

const QUOTED = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;

/** Of several headers, `Request` shows the values with a comma and a space between them. */
function keyOf(header: string): string {
  const [first = '', ...others] = QUOTED.test(header) ? [header] : header.split(', ');
  if (others.some((other) => other !== first)) {
    throw refusal(
      `must be there once, not with ${shownValue(header)}; a key that holds a comma and a space must be in quotes`,
    );
  }
  if (!first.startsWith('"')) return first;
  const quoted = QUOTED.exec(first)?.[1];
  if (quoted === undefined)
    throw refusal(`must be a string in quotes, or a text without them, not ${shownValue(first)}`);
  return quoted.replace(/\\(["\\])/g, '$1');
}

function refusal(what: string): ValidationError {
  const message = `The header ${IDEMPOTENCY_HEADER} ${what}`;
  return new ValidationError(message, [{ path: [IDEMPOTENCY_HEADER], message }]);
}
