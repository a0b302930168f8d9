import { type ErrorDetailMode, toErrorDetail } from '../../core/errors/error-detail.ts';
import { errorMessage } from '../../core/errors/error-text.ts';
import { firstItems, isError, isList } from '../../core/errors/thrown.ts';
import { encodeJson, type JsonEncoding } from '../../core/json/json.ts';
import type { LogLevel } from '../../core/step.ts';
import type { OwnerNote } from '../../core/store.ts';
import { boundedText, bytesOf, MAX_TEXT_BYTES } from '../../core/text.ts';

interface LogCall {
  readonly stepName: string | null;
  readonly level: LogLevel;
  readonly message: unknown;
  readonly data: unknown;
}

export interface LogLimits {
  readonly mode: ErrorDetailMode;
  /** Of data, as JSON. */
  readonly maxBytes: number;
}

/** The journal's note of a log line. Data that JSON can't hold is left out, with a warning. Never throws. */
export function logNote({ stepName, level, message, data }: LogCall, limits: LogLimits): OwnerNote {
  const line = { type: 'log:write', stepName } as const;
  // An error given as the message is kept whole as well.
  const encoding = encodeLogData(data === undefined && isError(message) ? message : data, limits);
  if (encoding.ok) return { ...line, level, message: messageText(message), data: encoding.text ?? null };
  const why = ` (data left out: ${boundedText(encoding.reason, 1024)})`;
  return { ...line, level: 'warn', message: messageText(message, MAX_TEXT_BYTES - bytesOf(why)) + why };
}

/** A job's log message as a bounded text; the job may have passed anything. */
export function messageText(message: unknown, maxBytes?: number): string {
  return boundedText(typeof message === 'string' ? message : errorMessage(message), maxBytes);
}

/** JSON text of a log line's data: errors, of which JSON keeps nothing, are stored as their details. */
function encodeLogData(data: unknown, { mode, maxBytes }: LogLimits): JsonEncoding {
  const detailOf = (value: unknown) => (isError(value) ? toErrorDetail(value, { mode }) : value);
  // Replaced while their holder is visited: an error's own `toJSON` may tell what no log should.
  const replacer = (_key: string, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    if (isList(value)) {
      const { items } = firstItems(value, Number.POSITIVE_INFINITY);
      return items.some(isError) ? items.map(detailOf) : value;
    }
    const entries = Object.entries(value);
    if (!entries.some(([, each]) => isError(each))) return value;
    return Object.fromEntries(entries.map(([name, each]) => [name, detailOf(each)]));
  };
  return encodeJson(detailOf(data), { maxBytes, replacer });
}
