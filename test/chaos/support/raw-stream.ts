import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';

/** An event stream on its own socket. Reading can be stopped, and unread data then waits in the kernel. */
export class RawStream {
  readonly #response: IncomingMessage;
  readonly #chunks: string[] = [];
  readonly #ended: Promise<unknown>;
  bytes = 0;

  constructor(response: IncomingMessage) {
    this.#response = response;
    this.#ended = once(response, 'close');
    // The test notices by itself if the process has died.
    this.#ended.catch(() => undefined);
    response.on('error', () => undefined);
    response.setEncoding('latin1').on('data', (text: string) => {
      this.bytes += text.length;
      this.#chunks.push(text);
    });
  }

  get text(): string {
    return this.#chunks.join('');
  }

  /** The id of the last frame received so far. */
  get lastId(): number {
    const tail = this.#chunks.slice(-8).join('');
    return Number([...tail.matchAll(/^id: (\d+)\ndata: .*\n\n/gm)].at(-1)?.[1] ?? 0);
  }

  stopReading(): void {
    this.#response.pause();
  }

  goOn(): void {
    this.#response.resume();
  }

  close(): void {
    this.#response.destroy();
  }

  /** The ids of all frames with data, after the stream has ended. */
  async ids(): Promise<number[]> {
    await this.#ended;
    return [...this.text.matchAll(/^id: (\d+)\ndata: /gm)].map(([, id]) => Number(id));
  }
}

export async function openStream(url: string): Promise<RawStream> {
  const asked = request(url, { agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`GET ${url} was answered ${response.statusCode}`);
  return new RawStream(response);
}
