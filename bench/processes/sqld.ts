import { Sqld } from '../../test/support/sqld/server.ts';
import { makeWalFile } from '../contenders/fresh.ts';

let sqld: Sqld | undefined;

/** A stand-in for a libSQL server, in a process of its own; answers its address. */
export async function startSqld({ file, latencyMs }: { file: string; latencyMs: number }): Promise<string> {
  makeWalFile(file);
  sqld = await Sqld.start({ file, latencyMs: () => latencyMs });
  return sqld.url;
}

/** Answers how many requests it got. */
export async function stopSqld(): Promise<number> {
  const requests = sqld?.requests ?? 0;
  await sqld?.stop();
  return requests;
}
