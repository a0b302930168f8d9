import type { ErrorDetail } from './error-detail.ts';

/** Rebuilds an error from its stored detail, or from its message if there is no detail. */
export function toError(detail: ErrorDetail | null | undefined, text: string): Error {
  if (!detail) return new Error(text);
  const { name, message, stack = `${name}: ${message}`, code, cause, errors } = detail;
  const options = cause === undefined ? undefined : { cause: toError(cause, text) };
  const error = errors
    ? new AggregateError(
        errors.map((each) => toError(each, text)),
        message,
        options,
      )
    : new Error(message, options);
  const hidden = { configurable: true, writable: true, enumerable: false };
  Object.defineProperty(error, 'name', { value: name, ...hidden });
  Object.defineProperty(error, 'stack', { value: stack, ...hidden });
  return code === undefined ? error : Object.assign(error, { code });
}
