import { ValidationError } from '../core/errors/errors.ts';
import { isTooDeep, MAX_JSON_DEPTH } from '../core/json/json.ts';
import { shorten, unknownName } from '../core/validation/known-names.ts';
import { refusalOf } from '../core/validation/refusal.ts';
import { duplicateMembers } from './inputs/duplicates.ts';
import { unheldNumbers } from './inputs/numbers.ts';
import { RequestError } from './problem.ts';

/**
 * Reads a body as JSON, whatever its Content-Type. Holds at most `maxBytes` in memory.
 *
 * @param options.kept the bytes, if the surrounding framework has already read and cached them.
 * @throws {RequestError} for a body that is too large, encoded, or already read by other code.
 * @returns undefined for an empty body.
 * @throws {ValidationError} for a body that is not UTF-8, not JSON or nested too deep, or that contains a number
 * that JavaScript would change, or a member of ours twice.
 */
export async function readJson(
  request: Request,
  {
    maxBytes,
    kept,
  }: {
    readonly maxBytes: number;
    readonly kept?: (() => Promise<ArrayBuffer>) | undefined;
  },
): Promise<unknown> {
  const text = await readText(request, maxBytes, kept);
  return text.trim() === '' ? undefined : parseJson(text);
}

/**
 * Refuses a body on an operation whose input is all in the query. An empty body and `{}` are accepted.
 *
 * @param options.params the query parameters, to tell callers who put them in the body.
 * @param options.kept the bytes, as in {@link readJson}.
 * @throws {ValidationError} that names the members of the body.
 * @throws {RequestError} for a body that is too large, encoded, or already read by other code.
 */
export async function refuseBody(request: Request, options: RefuseBodyOptions): Promise<void> {
  const { params, maxBytes, kept } = options;
  if (request.body === null) return;
  const text = await readText(request, maxBytes, kept);
  if (text.trim() === '') return;
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ValidationError('The body must be empty or {}: all parameters are in the query');
  }
  const names = Object.keys(value);
  if (names.length === 0) return;
  const issues = names.slice(0, MAX_TOLD).map((name) => ({
    path: [shorten(name)],
    message: params.includes(name)
      ? `"${name}" is a query parameter: send it as ?${name}=… and not in the body`
      : unknownName('member of the body', name, []),
  }));
  throw refusalOf(issues);
}

export interface RefuseBodyOptions {
  readonly params: readonly string[];
  readonly maxBytes: number;
  readonly kept?: (() => Promise<ArrayBuffer>) | undefined;
}

/** The error lists at most this many members of a refused body. */
const MAX_TOLD = 5;

async function readText(
  request: Request,
  maxBytes: number,
  kept?: () => Promise<ArrayBuffer>,
): Promise<string> {
  const { headers } = request;
  const encoding = headers.get('content-encoding');
  if (encoding !== null) refuseEncoded(encoding);
  const declared = headers.get('content-length');
  if (Number(declared) > maxBytes) throw tooLarge(maxBytes);
  if (kept === undefined && request.bodyUsed) throw consumed();
  let bytes: ArrayBuffer | Uint8Array;
  try {
    if (kept !== undefined) bytes = await kept();
    // A server never delivers more than the declared length, and reading the whole body at once is faster.
    else if (declared !== null && !headers.has('transfer-encoding')) bytes = await request.arrayBuffer();
    else bytes = await collect(request, maxBytes);
  } catch (error) {
    if (error instanceof RequestError) throw error;
    throw kept === undefined ? new ValidationError('The body broke off') : consumed();
  }
  if (bytes.byteLength > maxBytes) throw tooLarge(maxBytes);
  try {
    return utf8.decode(bytes);
  } catch {
    throw new ValidationError('The body is not valid UTF-8');
  }
}

function parseJson(text: string): unknown {
  // The envelope adds one level around the input, which may use the full depth itself.
  if (isTooDeep(text, MAX_JSON_DEPTH + 1)) {
    throw new ValidationError(`The body is nested deeper than ${MAX_JSON_DEPTH} levels`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'not JSON';
    throw new ValidationError(`The body is not valid JSON: ${reason}`);
  }
  const issues = [...unheldNumbers(text), ...duplicateMembers(text)];
  if (issues.length === 0) return value;
  throw refusalOf(issues);
}

/** Skips a byte order mark. */
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Decompression would get around the limit on the body's size. */
function refuseEncoded(encoding: string): void {
  const isPlain = encoding.split(',').every((coding) => /^(identity)?$/i.test(coding.trim()));
  if (isPlain) return;
  throw new RequestError(
    'UNSUPPORTED_ENCODING',
    `The body has the Content-Encoding ${shorten(encoding)}; send it without one`,
    // Names the encoding that would be accepted (RFC 9110, 12.5.3).
    { 'accept-encoding': 'identity' },
  );
}

async function collect({ body }: Request, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  if (body?.locked) throw consumed();
  const reader = body?.getReader();
  for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
    length += part.value.byteLength;
    if (length > maxBytes) {
      reader?.cancel().catch(() => {});
      throw tooLarge(maxBytes);
    }
    chunks.push(part.value);
  }
  return concatBytes(chunks);
}

/** One array with the bytes of all chunks. */
export function concatBytes(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

/** The surrounding app made this mistake. Its developer and the caller get the same message. */
function consumed(): RequestError {
  return new RequestError(
    'BODY_CONSUMED',
    "The request's body was read before durably got the request: hand durably the unread request, " +
      'or a copy (request.clone()) that was made before the body was read',
  );
}

/**
 * The connection is not to be closed here: a client that still sends would be reset before it reads the answer
 * (RFC 9112, 9.6). The server reads the rest, for a while, and throws it away.
 */
function tooLarge(maxBytes: number): RequestError {
  return new RequestError('BODY_TOO_LARGE', `The body is larger than ${maxBytes} bytes`);
}
