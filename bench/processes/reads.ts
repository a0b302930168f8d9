import { createClient } from '@libsql/client';
import type { ReadRequest } from '../protocol.ts';

/** The median time of reading a value with a bare client, ms. */
export async function timeReads({ url, authToken, encoding, sql, id, reads }: ReadRequest): Promise<number> {
  const client = createClient({
    url,
    ...(authToken && { authToken }),
    fetch: async (request: Request) => {
      if (encoding !== undefined) request.headers.set('accept-encoding', encoding);
      return await fetch(request);
    },
  });
  try {
    return await median(reads, async () => {
      const { rows } = await client.execute({ sql, args: [id] });
      if (rows.length !== 1) throw new Error(`read ${rows.length} rows`);
    });
  } finally {
    client.close();
  }
}

/** The median time of an answer, ms. */
export async function timeAnswers({ url, reads }: { url: string; reads: number }): Promise<number> {
  return await median(reads, async () => {
    const answer = await fetch(url);
    await answer.text();
    if (answer.status !== 200) throw new Error(`${url} was answered ${answer.status}`);
  });
}

/** After a first time, which opens the connection. */
async function median(times: number, work: () => Promise<void>): Promise<number> {
  await work();
  const taken: number[] = [];
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    await work();
    taken.push(performance.now() - start);
  }
  taken.sort((a, b) => a - b);
  return taken[Math.floor(times / 2)] ?? Number.NaN;
}
