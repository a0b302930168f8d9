import type { Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ProblemCode, RequestError, toProblem } from '../../http/problem.ts';

/** What Node's parser of HTTP can't read, by the codes of its errors. Other codes are a malformed request. */
const TOLD: Readonly<Record<string, readonly [code: ProblemCode, detail: string]>> = {
  HPE_HEADER_OVERFLOW: ['HEAD_TOO_LARGE', 'The address and the headers of the request are too large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['BODY_TOO_LARGE', 'The chunk extensions of the body are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['REQUEST_TIMEOUT', 'The request did not arrive in time'],
};
const MALFORMED = ['VALIDATION', 'The request is not valid HTTP'] as const;

/** Answers requests that never reach the service with a problem, and closes their connections. */
export class UnreadRequests {
  /** The last answer on each connection. While it is under way, another one would be read as a part of it. */
  readonly #answers = new WeakMap<Duplex, ServerResponse>();

  constructor(server: Server) {
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#answer(error, socket));
  }

  /** The head of an answer is being sent. */
  noteAnswer(answer: ServerResponse): void {
    this.#answers.set(answer.req.socket, answer);
  }

  #answer(error: NodeJS.ErrnoException, socket: Duplex): void {
    const isAnswered = this.#answers.get(socket)?.writableFinished === false;
    if (error.code === 'ECONNRESET' || !socket.writable || isAnswered) {
      socket.destroy(error);
      return;
    }
    const [code, detail] = TOLD[error.code ?? ''] ?? MALFORMED;
    const problem = toProblem(new RequestError(code, detail), () => undefined);
    const body = JSON.stringify(problem);
    const head = [
      `HTTP/1.1 ${problem.status} ${problem.title}`,
      'Content-Type: application/problem+json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Cache-Control: no-store',
      'Connection: close',
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
  }
}
