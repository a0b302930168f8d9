import { ValidationError } from '../core/errors.ts';
import { isTooDeep, MAX_JSON_DEPTH } from '../core/json.ts';
import { RequestError } from './problem.ts';

export interface JsonBody {
  readonly text: string;
  readonly value: unknown;
}

/**
 * Reads a body as JSON, whatever its Content-Type. No more than `maxBytes` are held.
 *
 * @throws {RequestError} for a body over the limit.
 * @throws {ValidationError} for one that is empty, no UTF-8, no JSON or nested too deep.
 */
export async function readJson(request: Request, maxBytes: number): Promise<JsonBody> {
  const text = decodeUtf8(await readBytes(request, maxBytes));
  if (text.trim() === '') throw new ValidationError('The body is empty; it must be JSON');
  // The envelope is one level around the input, which may use all of its own.
  if (isTooDeep(text, MAX_JSON_DEPTH + 1)) {
    throw new ValidationError(`The body is nested deeper than ${MAX_JSON_DEPTH} levels`);
  }
  try {
    return { text, value: JSON.parse(text) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'not JSON';
    throw new ValidationError(`The body is not valid JSON: ${reason}`);
  }
}

/** A byte order mark is skipped. */
const utf8 = new TextDecoder('utf-8', { fatal: true });

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new ValidationError('The body is not valid UTF-8');
  }
}

async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const declared = request.headers.get('content-length');
  if (Number(declared) > maxBytes) throw tooLarge(maxBytes);
  if (request.bodyUsed) throw new Error('The body was read before the handler got the request');
  try {
    // A server hands out no more than a declared length, and whole bodies are its fast path.
    if (declared === null || request.headers.has('transfer-encoding'))
      return await collect(request, maxBytes);
    const bytes = new Uint8Array(await request.arrayBuffer());
    if (bytes.byteLength > maxBytes) throw tooLarge(maxBytes);
    return bytes;
  } catch (error) {
    if (error instanceof RequestError) throw error;
    throw new ValidationError('The body broke off');
  }
}

async function collect({ body }: Request, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
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

function tooLarge(maxBytes: number): RequestError {
  // The rest of the body is not read, so the connection can't serve another request.
  return new RequestError('BODY_TOO_LARGE', `The body is larger than ${maxBytes} bytes`, {
    connection: 'close',
  });
}
