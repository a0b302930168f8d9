import type { ErrorDetail } from './error-detail.ts';

/**
 * Rebuilds an error from its stored detail, or from its message if there is no detail.
 *
 * @param revive makes an error, a cause or an inner one, into one of its class.
 */
export function toError(
  detail: ErrorDetail | null | undefined,
  text: string,
  revive?: (error: Error, detail: ErrorDetail) => void,
): Error {
  if (!detail) return new Error(text);
  const { name, message, stack = `${name}: ${message}`, code, cause, errors } = detail;
  const options = cause === undefined ? undefined : { cause: toError(cause, text, revive) };
  const error = errors
    ? new AggregateError(
        errors.map((each) => toError(each, text, revive)),
        message,
        options,
      )
    : new Error(message, options);
  const hidden = { configurable: true, writable: true, enumerable: false };
  Object.defineProperty(error, 'name', { value: name, ...hidden });
  Object.defineProperty(error, 'stack', { value: stack, ...hidden });
  if (code !== undefined) Object.assign(error, { code });
  revive?.(error, detail);
  return error;
}
