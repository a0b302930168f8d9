import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { listen } from '../../support/net/listening.ts';
import { type SpawnedService, spawnService } from '../../support/processes/spawn-service.ts';
import { temporaryFolder } from '../temporary.ts';

export const API = '/api/durably';

export interface Service extends SpawnedService {
  readonly url: string;
}

export function spawnIn(folder: string, env: Record<string, string> = {}): SpawnedService {
  mkdirSync(join(folder, 'data'), { recursive: true });
  return spawnService({
    TURSO_DATABASE_URL: pathToFileURL(`${folder}/db/durably.db`).href,
    DURABLY_DATA_DIR: join(folder, 'data'),
    ...env,
  });
}

export async function startService(env: Record<string, string> = {}, folder?: string): Promise<Service> {
  const service = spawnIn(folder ?? (await temporaryFolder()), env);
  return { ...service, url: await service.listening() };
}

/** A web server whose answers wait until they are released, so that a job that fetches from it keeps running. */
export async function slowServer() {
  const waiting: (() => void)[] = [];
  const { server, url } = await listen((_, response) => {
    waiting.push(() => response.end('slow'));
    server.emit('asked');
  });
  return {
    url: `${url}/`,
    asked: () => (waiting.length > 0 ? Promise.resolve() : once(server, 'asked').then(() => {})),
    release: () => {
      for (const answer of waiting.splice(0)) answer();
    },
  };
}
