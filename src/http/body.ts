import { ValidationError } from '../core/errors/errors.ts';
import { isTooDeep, MAX_JSON_DEPTH } from '../core/json/json.ts';
import { shorten, unknownName } from '../core/validation/known-names.ts';
import { unheldNumbers } from './numbers.ts';
import { RequestError } from './problem.ts';

/**
 * Reads a body as JSON, whatever its Content-Type. No more than `maxBytes` are held.
 *
 * @param kept the bytes, where the framework around has read them already and kept them.
 * @throws {RequestError} for a body that is over the limit, encoded, or was read by somebody else.
 * @throws {ValidationError} for one that is empty, no UTF-8, no JSON or nested too
 * deep, or holds a number that would be changed.
 */
export async function readJson(
  request: Request,
  maxBytes: number,
  kept?: () => Promise<ArrayBuffer>,
): Promise<unknown> {
  const text = await readText(request, maxBytes, kept);
  if (text.trim() === '') throw new ValidationError('The body is empty; it must be JSON');
  return parseJson(text);
}

/**
 * Refuses a body where all input is in the query. An empty one and `{}` are fine.
 *
 * @param options.params the query parameters, for those who put them in the body.
 * @param options.kept the bytes, as in {@link readJson}.
 * @throws {ValidationError} that names the members of the body.
 * @throws {RequestError} for a body that is over the limit, encoded, or was read by somebody else.
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
  throw new ValidationError(issues.map(({ message }) => message).join('; '), issues);
}

export interface RefuseBodyOptions {
  readonly params: readonly string[];
  readonly maxBytes: number;
  readonly kept?: (() => Promise<ArrayBuffer>) | undefined;
}

/** So many members of a refused body are told of. */
const MAX_TOLD = 5;

async function readText(
  request: Request,
  maxBytes: number,
  kept?: () => Promise<ArrayBuffer>,
): Promise<string> {
  const { headers } = request;
  refuseEncoded(headers.get('content-encoding'));
  const declared = headers.get('content-length');
  if (Number(declared) > maxBytes) throw tooLarge(maxBytes);
  if (kept === undefined && request.bodyUsed) throw consumed();
  let bytes: ArrayBuffer | Uint8Array;
  try {
    if (kept !== undefined) bytes = await kept();
    // A server hands out no more than a declared length, and whole bodies are its fast path.
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
  // The envelope is one level around the input, which may use all of its own.
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
  const unheld = unheldNumbers(text);
  if (unheld.length === 0) return value;
  throw new ValidationError(unheld.map(({ message }) => message).join('; '), unheld);
}

/** A byte order mark is skipped. */
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Unpacking would be a way around the limit of the body's size. */
function refuseEncoded(encoding: string | null): void {
  if (encoding === null) return;
  const isPlain = encoding.split(',').every((coding) => /^(identity)?$/i.test(coding.trim()));
  if (isPlain) return;
  throw new RequestError(
    'UNSUPPORTED_ENCODING',
    `The body has the Content-Encoding ${shorten(encoding)}; send it without one`,
    // Which would be accepted (RFC 9110, 12.5.3).
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

export function concatBytes(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

/** The app around us is to blame, not the caller: it is told to both. */
function consumed(): RequestError {
  return new RequestError(
    'BODY_CONSUMED',
    "The request's body was read before durably got the request: hand durably the unread request, " +
      'or a copy (request.clone()) that was made before the body was read',
  );
}

function tooLarge(maxBytes: number): RequestError {
  // The rest of the body is not read, so the connection can't serve another request.
  return new RequestError('BODY_TOO_LARGE', `The body is larger than ${maxBytes} bytes`, {
    connection: 'close',
  });
}
