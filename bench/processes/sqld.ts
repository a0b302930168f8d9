import { Sqld } from '../../test/support/sqld/server.ts';
import { makeWalFile } from '../contenders/fresh.ts';

let sqld: Sqld | undefined;

/** Starts a stand-in for a libSQL server in its own process and returns its address. */
export async function startSqld({ file, latencyMs }: { file: string; latencyMs: number }): Promise<string> {
  makeWalFile(file);
  sqld = await Sqld.start({ file, latencyMs: () => latencyMs });
  return sqld.url;
}

/** Stops it and returns the number of requests it received. */
export async function stopSqld(): Promise<number> {
  const requests = sqld?.requests ?? 0;
  await sqld?.stop();
  return requests;
}
