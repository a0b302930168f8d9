import { type ErrorDetailMode, toErrorDetail } from '../../core/errors/error-detail.ts';
import { errorMessage } from '../../core/errors/error-text.ts';
import { firstItems, isError, isList } from '../../core/errors/thrown.ts';
import { encodeJson, type JsonEncoding } from '../../core/json/json.ts';
import type { LogLevel } from '../../core/log-line.ts';
import type { OwnerNote } from '../../core/store.ts';
import { boundedText, bytesOf, MAX_TEXT_BYTES } from '../../core/text.ts';

/** A longer name of an event is cut. */
const MAX_NAME_BYTES = 1024;

interface LogCall {
  readonly stepName: string | null;
  readonly level: LogLevel;
  readonly message: unknown;
  readonly data: unknown;
}

export interface LogLimits {
  readonly mode: ErrorDetailMode;
  /** The most bytes of JSON for the data. */
  readonly maxBytes: number;
}

/**
 * The journal's note for a log line. Data that JSON cannot express is left out, with a warning.
 * Never throws.
 */
export function logNote({ stepName, level, message, data }: LogCall, limits: LogLimits): OwnerNote {
  const line = { type: 'log:write', stepName } as const;
  // If the message is an error and there is no data, the error is stored as the data.
  const encoding = encodeLogData(data === undefined && isError(message) ? message : data, limits);
  if (encoding.ok) return { ...line, level, message: messageText(message), data: encoding.text ?? null };
  const why = ` (data left out: ${boundedText(encoding.reason, 1024)})`;
  return { ...line, level: 'warn', message: messageText(message, MAX_TEXT_BYTES - bytesOf(why)) + why };
}

interface EmitCall {
  readonly stepName: string | null;
  readonly name: unknown;
  readonly data: unknown;
}

/**
 * The journal's note for an event of the job's own. If JSON cannot express its data, a log line stands
 * in its place. Never throws.
 */
export function emitNote({ stepName, name, data }: EmitCall, limits: LogLimits): OwnerNote {
  const encoding = encodeLogData(data, limits);
  if (encoding.ok) {
    return {
      type: 'run:emit',
      stepName,
      message: messageText(name, MAX_NAME_BYTES),
      data: encoding.text ?? null,
    };
  }
  const why = boundedText(encoding.reason, 1024);
  const message = `event "${messageText(name, MAX_NAME_BYTES)}" left out: ${why}`;
  return { type: 'log:write', stepName, level: 'warn', message, data: null };
}

/** The message of a log line as a bounded text. The job may have passed any value. */
export function messageText(message: unknown, maxBytes?: number): string {
  return boundedText(typeof message === 'string' ? message : errorMessage(message), maxBytes);
}

/** The data of a log line as JSON text. JSON would lose errors, so they are stored as their details. */
function encodeLogData(data: unknown, { mode, maxBytes }: LogLimits): JsonEncoding {
  const detailOf = (value: unknown) => (isError(value) ? toErrorDetail(value, { mode }) : value);
  // Errors are replaced while their holder is visited, because an error's own `toJSON` may show what no
  // log should contain.
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
