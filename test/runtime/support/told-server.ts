import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that jobs in workerd call. It tells the test of them and can hold them up. */
export interface ToldServer {
  readonly url: string;
  /** The requested paths, in order. */
  readonly told: readonly string[];
  /** Answers all waiting and future requests. */
  open(): void;
  stop(): Promise<void>;
}

/** @param options.isOpen whether requests are answered at once, instead of when `open` is called. */
export async function startToldServer({ isOpen }: { isOpen: boolean }): Promise<ToldServer> {
  const told: string[] = [];
  const waiting: (() => void)[] = [];
  let opened = isOpen;
  const server = createServer((request, response) => {
    told.push(request.url ?? '');
    const answer = () => void response.end('heard');
    if (opened) answer();
    else waiting.push(answer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    told,
    open() {
      opened = true;
      for (const answer of waiting.splice(0)) answer();
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
