import { setTimeout as pause } from 'node:timers/promises';
import { GivenDatabase } from '../../support/given-database.ts';
import { CuttingProxy } from '../machine/cutting-proxy.ts';
import { LibsqlServer } from '../machine/libsql-server.ts';
import { Operator } from '../machine/operator.ts';
import { type Fleet, withFleet } from '../support/fleet.ts';
import type { Random } from '../support/random.ts';
import { ServerRecords } from '../support/stored-records.ts';
import { type KillOptions, killAtRandom } from './kill.ts';
import type { Outcome } from './outcome.ts';
import { REMOTE_SETTINGS, RemoteStory } from './remote.ts';

const PROCESSES = 4;

interface Machine {
  readonly program: string;
  readonly server: LibsqlServer;
  readonly random: Random;
}

/** What happens to the server while it is used. */
interface Trouble {
  /** Where the processes find the database. */
  readonly url: string;
  /** Called again and again until all runs are triggered. */
  strike(): Promise<void>;
  readonly figures: () => Readonly<Record<string, number>>;
  end?(): Promise<void> | void;
}

const TROUBLES = {
  killed: async ({ server, random }: Machine): Promise<Trouble> => {
    let kills = 0;
    return {
      url: server.url,
      async strike() {
        await pause(random.int(300, 2_000));
        await server.kill();
        kills++;
        await pause(random.int(0, 1_000));
        await server.resume();
      },
      figures: () => ({ 'server kills': kills }),
    };
  },
  stopped: async ({ server, random }: Machine): Promise<Trouble> => {
    let stops = 0;
    return {
      url: server.url,
      async strike() {
        await pause(random.int(300, 2_000));
        server.signal('SIGSTOP');
        stops++;
        // Longer than a read is waited for, and at times longer than a write.
        await pause(random.chance(0.2) ? random.int(12_000, 17_000) : random.int(500, 7_000));
        server.signal('SIGCONT');
      },
      figures: () => ({ 'server stops': stops }),
    };
  },
  'connections cut': async ({ server, random }: Machine): Promise<Trouble> => {
    const proxy = await CuttingProxy.start(server.port, random);
    return {
      url: proxy.url,
      async strike() {
        proxy.isCutting = true;
        await pause(100);
      },
      figures: () => ({ 'connections cut': proxy.cuts }),
      end: () => proxy.close(),
    };
  },
  'behind a replica': async ({ program, server, random }: Machine): Promise<Trouble> => {
    const replica = await LibsqlServer.start(program, server);
    let kills = 0;
    return {
      url: replica.url,
      async strike() {
        await pause(random.int(1_000, 4_000));
        await replica.kill();
        kills++;
        await replica.resume();
      },
      figures: () => ({ 'replica kills': kills }),
      end: async () => await replica.dispose(),
    };
  },
} as const;

export type ServerTrouble = keyof typeof TROUBLES;
export const SERVER_TROUBLES = Object.keys(TROUBLES) as readonly ServerTrouble[];

interface TroubledOptions {
  readonly random: Random;
  readonly runs: number;
  /** The path of `sqld`. */
  readonly program: string;
  readonly trouble: ServerTrouble;
}

/** Runs services on a libsql-server of its own that has trouble. Afterwards it must take writes. */
export async function troubledServer({ random, runs, program, trouble }: TroubledOptions): Promise<Outcome> {
  return await onOwnServer(program, async (server, stored) => {
    const { url, strike, figures, end } = await TROUBLES[trouble]({ program, server, random: random.fork() });
    const play = async (fleet: Fleet) => {
      await fleet.startMany(PROCESSES, { TURSO_DATABASE_URL: url });
      const story = new RemoteStory(fleet, { random, runs });
      let isTriggered = false;
      const calls = story.call().finally(() => {
        isTriggered = true;
      });
      const strikes = async () => {
        while (!isTriggered) await strike();
      };
      const operator = new Operator(fleet, server);
      await operator.during(Promise.all([calls, strikes()]).then(async () => await story.settle()));
      // The services name a server that takes no writes.
      const { violations, figures: seen } = await story.judge(operator.restarts > 0 ? ['database'] : []);
      return {
        violations,
        figures: { ...seen, ...figures(), 'restarts by the operator': operator.restarts },
      };
    };
    try {
      return await withFleet(REMOTE_SETTINGS, play, stored);
    } finally {
      await end?.();
    }
  });
}

/** Kills processes that use a libsql-server of their own. */
export async function killOnServer({ program, ...options }: KillOptions & { readonly program: string }) {
  return await onOwnServer(program, async (_, stored) => await killAtRandom({ ...options, stored }));
}

async function onOwnServer<T>(
  program: string,
  work: (server: LibsqlServer, stored: ServerRecords) => Promise<T>,
): Promise<T> {
  const server = await LibsqlServer.start(program);
  try {
    const database = await GivenDatabase.open(server.url);
    try {
      return await work(server, new ServerRecords(database));
    } finally {
      database.close();
    }
  } finally {
    await server.dispose();
  }
}
