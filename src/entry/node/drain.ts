import { setTimeout as pause } from 'node:timers/promises';
import { closeServer } from './server.ts';
import type { RunningService } from './start.ts';

/** How long streams may send their last events. */
const LAST_EVENTS_MS = 250;
/** How long idle connections stay open for requests that are on their way. */
const LINGER_MS = 500;
/** The least time for handing back and closing, even if the shutdown time is shorter. */
const MIN_RESERVE_MS = 1000;
const MAX_RESERVE_MS = 3000;
/** The longest time for handing back without waiting for runs. */
const HAND_BACK_WITHIN_MS = 1500;
/** The longest time for closing, and for the last spans on their way, after that. */
const CLOSE_WITHIN_MS = 300;

/** Divides the shutdown time between waiting for runs and the rest. */
export function drainTimes(shutdownMs: number) {
  // Reserved for handing runs back, for streams, and for requests in progress.
  const reserveMs = Math.max(MIN_RESERVE_MS, Math.min(MAX_RESERVE_MS, shutdownMs / 3));
  const waitMs = Math.max(1, shutdownMs - reserveMs);
  return { waitMs, reserveMs, withinMs: Math.max(shutdownMs, waitMs + reserveMs) };
}

/** Waits for the runs, hands back those that take too long, and closes everything. */
export async function drain(service: RunningService): Promise<void> {
  const { config, durably, server, draining, closing } = service;
  const { waitMs, reserveMs, withinMs } = drainTimes(config.DURABLY_SHUTDOWN_MS);
  const handedBackBy = pause(withinMs - reserveMs * 0.15);
  const closedBy = pause(withinMs - reserveMs * 0.05);
  // The service answers requests until the runs are over. `/readyz` answers 503, so load balancers send new
  // requests elsewhere.
  draining.abort();
  const stopped = durably.stop({ timeoutMs: waitMs, final: true });
  // A locked database can't take the runs back. The shutdown must not wait for it.
  await Promise.race([stopped, pause(waitMs + reserveMs * 0.4)]);
  const lingerMs = Math.min(LINGER_MS, reserveMs * 0.2);
  const closed = closeServer(server, { lingerMs });
  // Streams may still have to send how the last runs ended.
  await Promise.race([closed, pause(Math.min(LAST_EVENTS_MS, reserveMs * 0.1))]);
  closing.abort();
  await Promise.race([closed, pause(lingerMs + reserveMs * 0.2)]);
  server.closeAllConnections();
  await Promise.race([stopped, handedBackBy]);
  await close(service, closedBy);
}

/**
 * Hands the runs back without waiting for them, and closes the database. Gives up if the database does not take
 * them at once.
 */
export async function handBackNow(service: RunningService): Promise<void> {
  service.draining.abort();
  await Promise.race([service.durably.stop({ timeoutMs: 1, final: true }), pause(HAND_BACK_WITHIN_MS)]);
  service.closing.abort();
  await close(service, pause(CLOSE_WITHIN_MS));
}

/** A collector that does not answer does not hold up the end. */
async function close({ durably, database, traces }: RunningService, by: Promise<void>): Promise<void> {
  const flushed = traces.flush().catch(() => undefined);
  await durably.db.destroy();
  await database.close();
  await Promise.race([flushed, by]);
}
