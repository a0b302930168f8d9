import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Random } from '../support/random.ts';

const CHANCE = 0.05;

/** Passes connections on to a port of this machine, and cuts some while a request or its answer is on its way. */
export class CuttingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** How many connections it has cut. */
  cuts = 0;
  /** Whether it cuts at present. */
  isCutting = false;

  private constructor(port: number, random: Random) {
    this.#server = createServer((client) =>
      this.#pass(client, { target: connect(port, '127.0.0.1'), random }),
    );
  }

  static async start(port: number, random: Random): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(port, random);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return `http://127.0.0.1:${address.port}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #pass(client: Socket, { target, random }: { readonly target: Socket; readonly random: Random }): void {
    const end = () => {
      for (const socket of [client, target]) socket.destroy();
    };
    /** Some are cut in the middle, so that half a request or half an answer arrives. */
    const forward = (to: Socket) => (data: Buffer) => {
      const isCut = this.isCutting && random.chance(CHANCE);
      if (!isCut) return void to.write(data);
      this.cuts++;
      to.write(data.subarray(0, random.int(0, data.length)), end);
    };
    client.on('data', forward(target));
    target.on('data', forward(client));
    for (const socket of [client, target]) {
      this.#sockets.add(socket);
      socket.on('error', end);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        end();
      });
    }
  }
}
