import { Sqld } from '../../test/support/sqld/server.ts';
import { makeWalFile } from '../contenders/fresh.ts';
import type { SqldRequest } from '../protocol.ts';

let sqld: Sqld | undefined;

/** Starts a stand-in for a libSQL server in its own process and returns its address. */
export async function startSqld({ file, latencyMs = 0, speed = 'instant' }: SqldRequest): Promise<string> {
  makeWalFile(file);
  sqld = await Sqld.start({ file, latencyMs: () => latencyMs, speed });
  return sqld.url;
}

/** Stops it. @throws if a contender has broken its write queue. */
export async function stopSqld(): Promise<void> {
  await sqld?.stop();
}
