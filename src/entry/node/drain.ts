import { setTimeout as pause } from 'node:timers/promises';
import { closeServer } from './server.ts';
import type { RunningService } from './start.ts';

/** How long streams have to tell of what happened last. */
const LAST_EVENTS_MS = 250;

/** Lets the runs end, or hands them back in time, and closes all. */
export async function drain(service: RunningService): Promise<void> {
  const { config, database, durably, server, draining, closing } = service;
  // Until the runs are over requests are still answered: /readyz with 503, so that others are sent elsewhere.
  draining.abort();
  // A part of the time is kept for the runs' return, the streams and the requests still being answered.
  const reserveMs = Math.min(3000, config.DURABLY_SHUTDOWN_MS / 3);
  const timeoutMs = config.DURABLY_SHUTDOWN_MS - reserveMs;
  // A database that is locked does not take the runs back, and must not hold the rest up.
  await Promise.race([durably.stop({ timeoutMs }), pause(timeoutMs + reserveMs * 0.4)]);
  const closed = closeServer(server);
  // Streams may still be about to tell of the last runs' ends.
  await Promise.race([closed, pause(Math.min(LAST_EVENTS_MS, reserveMs * 0.1))]);
  closing.abort();
  await Promise.race([closed, pause(reserveMs * 0.2)]);
  server.closeAllConnections();
  await durably.db.destroy();
  database.close();
}
