import * as z from 'zod';
import { boundedText, bytesOf } from '../text.ts';
import { parseDuration } from '../time/duration.ts';
import { dropPromises } from './dropped.ts';
import { errorsOf, ownMessage } from './error-text.ts';
import { isError, readField } from './thrown.ts';

/** The largest error detail, in bytes of UTF-8 JSON. */
export const MAX_ERROR_DETAIL_BYTES = 16 * 1024;
/** How many causes of a chain are kept. */
const MAX_CAUSES = 10;
/** How many of an AggregateError's errors are kept. */
const MAX_ERRORS = 10;
/** How many causes and inner errors are kept together. */
const MAX_NESTED = 40;
const MAX_NAME_BYTES = 256;

/** `message` keeps no stacks, for those who may not store them. */
export const ERROR_DETAIL_MODES = ['full', 'message'] as const;
export type ErrorDetailMode = (typeof ERROR_DETAIL_MODES)[number];

/** What is stored of an error that failed a run or a step. */
export interface ErrorDetail {
  /** The class name, such as `TypeError`. If the thrown value is no error, its type, such as `string`. */
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly code?: string | number | undefined;
  /** Of a RetryAfterError: how long to wait before the next try, ms. */
  readonly delayMs?: number | undefined;
  /** The error's cause, with its own causes. At most 10 in a chain. */
  readonly cause?: ErrorDetail | undefined;
  /** The first errors of an AggregateError. */
  readonly errors?: readonly ErrorDetail[] | undefined;
  /** The step that failed. Only the outermost error has it. */
  readonly stepName?: string | undefined;
}

export const errorDetailSchema: z.ZodType<ErrorDetail> = z
  .object({
    name: z.string(),
    message: z.string(),
    stack: z.string().optional(),
    code: z.union([z.string(), z.number()]).optional(),
    delayMs: z.number().optional(),
    get cause() {
      return errorDetailSchema.optional();
    },
    get errors() {
      return z.array(errorDetailSchema).optional();
    },
    stepName: z.string().optional(),
  })
  .meta({
    id: 'ErrorDetail',
    description: 'What is stored of an error: at most 16 KiB. If it is longer, its stack is cut',
  });

export interface DetailOptions {
  readonly mode: ErrorDetailMode;
  readonly stepName?: string | undefined;
}

/** The longest texts of a detail. They are tried in order until the whole detail fits. */
const LIMITS: readonly { readonly stack: number; readonly message: number }[] = [
  { stack: 16_384, message: 12_288 },
  { stack: 8192, message: 12_288 },
  { stack: 4096, message: 12_288 },
  { stack: 2048, message: 12_288 },
  { stack: 1024, message: 8192 },
  { stack: 1024, message: 4096 },
  { stack: 1024, message: 1024 },
  { stack: 512, message: 512 },
  { stack: 0, message: 512 },
  { stack: 0, message: 128 },
];

/** The detail of whatever was thrown, well-formed and bounded. Never throws. */
export function toErrorDetail(error: unknown, { mode, stepName }: DetailOptions): ErrorDetail {
  const step = stepName === undefined ? {} : { stepName: boundedText(stepName, 4 * MAX_NAME_BYTES) };
  dropPromises(error);
  const found = new DetailReader(mode).read(error);
  for (const limits of LIMITS) {
    const detail = { ...shortened(found, limits), ...step };
    if (bytesOf(JSON.stringify(detail)) <= MAX_ERROR_DETAIL_BYTES) return detail;
  }
  const { cause, errors, ...outermost } = shortened(found, { stack: 0, message: 128 });
  return { ...outermost, ...step };
}

/** {@link toErrorDetail} as JSON text. */
export function encodeErrorDetail(error: unknown, options: DetailOptions): string {
  return JSON.stringify(toErrorDetail(error, options));
}

/** Reads an error field by field, because reading any of them may throw. */
class DetailReader {
  readonly #mode: ErrorDetailMode;
  readonly #seen = new Set<unknown>();

  constructor(mode: ErrorDetailMode) {
    this.#mode = mode;
  }

  read(error: unknown, causesLeft: number = MAX_CAUSES): ErrorDetail {
    if (typeof error !== 'object' || error === null) return { name: typeof error, message: textOf(error) };
    this.#seen.add(error);
    const [name, stack, code, cause] = ['name', 'stack', 'code', 'cause'].map((key) => readField(error, key));
    const { errors } = errorsOf(error, causesLeft > 0 ? MAX_ERRORS : 0);
    const hasCause = causesLeft > 0 && cause !== undefined && cause !== null && this.#isNew(cause);
    const isCode = typeof code === 'string' || (typeof code === 'number' && Number.isFinite(code));
    return {
      name: typeof name === 'string' && name !== '' ? name : isError(error) ? 'Error' : 'object',
      message: textOf(error),
      ...(typeof stack === 'string' && this.#mode === 'full' ? { stack } : {}),
      ...(isCode ? { code } : {}),
      ...(name === 'RetryAfterError' ? delayOf(error) : {}),
      ...(hasCause ? { cause: this.read(cause, causesLeft - 1) } : {}),
      ...this.#errors(errors, causesLeft),
    };
  }

  #errors(errors: readonly unknown[], causesLeft: number): Pick<ErrorDetail, 'errors'> {
    const kept = errors.flatMap((error) => (this.#isNew(error) ? [this.read(error, causesLeft - 1)] : []));
    return kept.length > 0 ? { errors: kept } : {};
  }

  /** A chain of causes may be circular. */
  #isNew(error: unknown): boolean {
    return !this.#seen.has(error) && this.#seen.size <= MAX_NESTED;
  }
}

function textOf(error: unknown): string {
  try {
    return ownMessage(error);
  } catch {
    return 'unknown error';
  }
}

/** A retry of the job goes by it, also after a replay. Left out if it is no duration. */
function delayOf(error: object): Pick<ErrorDetail, 'delayMs'> {
  try {
    return { delayMs: parseDuration('delayMs', readField(error, 'delayMs')) };
  } catch {
    return {};
  }
}

function shortened(detail: ErrorDetail, limits: { stack: number; message: number }): ErrorDetail {
  const { name, message, stack, code, delayMs, cause, errors } = detail;
  const shortStack = stack === undefined ? '' : shortenedStack(stack, message, limits.stack);
  return {
    name: boundedText(name, MAX_NAME_BYTES),
    message: boundedText(message, limits.message),
    ...(shortStack === '' ? {} : { stack: shortStack }),
    ...(code === undefined
      ? {}
      : { code: typeof code === 'string' ? boundedText(code, MAX_NAME_BYTES) : code }),
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(cause ? { cause: shortened(cause, limits) } : {}),
    ...(errors ? { errors: errors.map((error) => shortened(error, limits)) } : {}),
  };
}

/**
 * A stack begins with the message, which is stored beside it. A long message must not push the
 * frames out.
 */
function shortenedStack(stack: string, message: string, maxBytes: number): string {
  if (maxBytes === 0) return '';
  const isLong = message.length > 1024;
  return boundedText(isLong ? stack.replace(message, () => boundedText(message, 256)) : stack, maxBytes);
}
