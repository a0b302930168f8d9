import { type ErrorDetail, toErrorDetail } from './error-detail.ts';
import { errorMessage } from './error-text.ts';
import { MAX_ERROR_BYTES, publicText } from './log-text.ts';
import { withoutSecrets } from './secrets.ts';

/** An error as fields of a log entry: its text, and its stack and causes. Without the secrets in them. */
export function errorFields(error: unknown): { readonly error: string; readonly err: ErrorDetail } {
  return {
    error: publicText(errorMessage(error), MAX_ERROR_BYTES),
    err: publicDetail(toErrorDetail(error, { mode: 'full' })),
  };
}

function publicDetail({ name, message, stack, code, cause, errors, stepName }: ErrorDetail): ErrorDetail {
  return {
    name,
    message: withoutSecrets(message),
    ...(stack !== undefined && { stack: withoutSecrets(stack) }),
    ...(code !== undefined && { code }),
    ...(cause !== undefined && { cause: publicDetail(cause) }),
    ...(errors !== undefined && { errors: errors.map(publicDetail) }),
    ...(stepName !== undefined && { stepName }),
  };
}
