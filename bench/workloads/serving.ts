import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import type { Child } from '../processes/child.ts';
import type { Served } from '../protocol.ts';

export const SERVED = ['bare', 'durably', 'durably-service', 'coji'] as const satisfies readonly Served[];

export const TRIGGER_BODY = JSON.stringify({ jobName: 'empty', input: { n: 1 } });

interface Serving {
  readonly contender: Served;
  readonly worker: 'on' | 'off';
  /** A seeded database to use instead of a new one. It is only read. */
  readonly file?: string | undefined;
}

export interface Address {
  /** The origin, without a path. */
  readonly url: string;
  readonly basePath: string;
  readonly file: string;
}

/** Serves from a child process while `work` runs. */
export async function whileServing<T>(
  bench: Bench,
  { server, contender, worker, file }: Serving & { server: Child },
  work: (address: Address) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(bench.folder, 'serve-'));
  const path = file ?? join(folder, 'bench.db');
  try {
    const base = new URL(await server.call('serve', { contender, worker, file: path }));
    const result = await work({ url: base.origin, basePath: base.pathname, file: path });
    await server.call('stopServing');
    return result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Triggers a run. Resolves with its id when it is completed. */
export async function completed(base: string, body: { jobName: string; input: object }): Promise<string> {
  const answer = await fetch(`${base}/trigger`, { method: 'POST', body: JSON.stringify(body) });
  const { runId } = (await answer.json()) as { runId: string };
  for (;;) {
    const [run] = (await (await fetch(`${base}/runs?fields=id,status&limit=1`)).json()) as [
      { id: string; status: string },
    ];
    if (run.id === runId && run.status === 'completed') return runId;
    await pause(2);
  }
}
