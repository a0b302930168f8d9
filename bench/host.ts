/** The program of each child process: it executes the main process's calls and sends back the results. */

import { describe, measure } from './measure.ts';
import { timeAnswers, timeReads } from './processes/reads.ts';
import { seed } from './processes/seed.ts';
import { memoryKb, peakMemoryKb, readEmitted, serve, stopServing, storedRuns } from './processes/serve.ts';
import { startSqld, stopSqld } from './processes/sqld.ts';
import { closeStreams, countArrivals, openStreams, readArrivals } from './processes/streams.ts';
import { fire } from './processes/traffic.ts';
import type { Reply, Request, Roles } from './protocol.ts';

const roles: Roles = {
  describe,
  measure,
  seed,
  serve,
  stopServing,
  storedRuns,
  memoryKb,
  peakMemoryKb,
  readEmitted,
  startSqld,
  stopSqld,
  timeReads,
  timeAnswers,
  openStreams,
  countArrivals,
  readArrivals,
  closeStreams,
  fire,
};

process.on('message', (request: Request) => {
  const role: unknown = Reflect.get(roles, request.role);
  if (typeof role !== 'function') throw new TypeError(`no role ${request.role}`);
  Promise.resolve(Reflect.apply(role, undefined, request.args)).then(
    (value) => reply({ id: request.id, ok: true, value }),
    (error: unknown) => reply({ id: request.id, ok: false, error: String(error) }),
  );
});

// The child exits with the main process, whatever it has open.
process.on('disconnect', () => process.exit(0));
process.on('unhandledRejection', (error) => console.error(error));

function reply(message: Reply): void {
  process.send?.(message);
}
