import { setTimeout as pause } from 'node:timers/promises';
import { closeServer } from './server.ts';
import type { RunningService } from './start.ts';

/** How long streams have to tell of what happened last. */
const LAST_EVENTS_MS = 250;
/** How long idle connections stay open for requests that are on their way. */
const LINGER_MS = 500;
/** What handing back and closing may take, however short the time for the runs is. */
const MIN_RESERVE_MS = 1000;
const MAX_RESERVE_MS = 3000;
/** The most that handing back at once may take. */
const HAND_BACK_WITHIN_MS = 1500;

/** How the time of a drain is spent. */
export function drainTimes(shutdownMs: number) {
  // A part is kept for the runs' return, the streams and the requests still being answered.
  const reserveMs = Math.max(MIN_RESERVE_MS, Math.min(MAX_RESERVE_MS, shutdownMs / 3));
  const waitMs = Math.max(1, shutdownMs - reserveMs);
  return { waitMs, reserveMs, withinMs: Math.max(shutdownMs, waitMs + reserveMs) };
}

/** Lets the runs end, or hands them back in time, and closes all. */
export async function drain(service: RunningService): Promise<void> {
  const { config, durably, server, draining, closing } = service;
  const { waitMs, reserveMs, withinMs } = drainTimes(config.DURABLY_SHUTDOWN_MS);
  const handedBackBy = pause(withinMs - reserveMs * 0.15);
  // Until the runs are over requests are still answered: /readyz with 503, so that others are sent elsewhere.
  draining.abort();
  const stopped = durably.stop({ timeoutMs: waitMs, final: true });
  // A database that is locked does not take the runs back, and must not hold the rest up.
  await Promise.race([stopped, pause(waitMs + reserveMs * 0.4)]);
  const lingerMs = Math.min(LINGER_MS, reserveMs * 0.2);
  const closed = closeServer(server, { lingerMs });
  // Streams may still be about to tell of the last runs' ends.
  await Promise.race([closed, pause(Math.min(LAST_EVENTS_MS, reserveMs * 0.1))]);
  closing.abort();
  await Promise.race([closed, pause(lingerMs + reserveMs * 0.2)]);
  server.closeAllConnections();
  await Promise.race([stopped, handedBackBy]);
  await close(service);
}

/** Waits for nothing: hands the runs back, as far as the database takes them at once, and closes the database. */
export async function handBackNow(service: RunningService): Promise<void> {
  service.draining.abort();
  await Promise.race([service.durably.stop({ timeoutMs: 1, final: true }), pause(HAND_BACK_WITHIN_MS)]);
  service.closing.abort();
  await close(service);
}

async function close({ durably, database }: RunningService): Promise<void> {
  await durably.db.destroy();
  await database.close();
}
