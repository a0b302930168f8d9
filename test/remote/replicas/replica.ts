import Database from 'libsql';
import { onTestFinished } from 'vitest';
import type { PipelineRequest } from '../../support/sqld/protocol.ts';
import { Sqld } from '../../support/sqld/server.ts';
import { temporaryFile } from '../../support/temporary-file.ts';

/**
 * A read replica at the wire: what only reads is answered by a copy of the primary's file, which is as old as the
 * test has it. All else goes to the primary, the reads of a batch included.
 */
export async function replicaOf(primary: { readonly url: string; readonly file: string }) {
  const path = temporaryFile();
  let copies = 0;
  const startCopy = async (): Promise<Sqld> => {
    const file = `${path}-${++copies}`;
    const source = new Database(primary.file);
    try {
      source.exec(`vacuum into '${file}'`);
    } finally {
      source.close();
    }
    const copy = await Sqld.start({ file });
    onTestFinished(() => copy.stop());
    return copy;
  };
  let states = [await startCopy()];
  let turn = 0;
  const counts = { reads: 0, writes: 0 };
  let afterWrite: (() => Promise<void>) | undefined;
  const fetch = async (request: Request): Promise<Response> => {
    const body = await request.text();
    const isRead = onlyReads(JSON.parse(body) as PipelineRequest);
    const { pathname } = new URL(request.url);
    const target = isRead ? states[turn++ % states.length]?.url : primary.url;
    counts[isRead ? 'reads' : 'writes']++;
    const { method, headers } = request;
    const response = await globalThis.fetch(`${target}${pathname}`, { method, headers, body });
    if (!isRead) await afterWrite?.();
    return response;
  };
  const replica = {
    fetch,
    counts,
    /** From now on reads are answered by the primary's present state. */
    async catchUp() {
      states = [await startCopy()];
    },
    /** Reads are answered by the state of before and the present one in turn, as by two replicas behind one address. */
    async alternate() {
      states = [...states.slice(-1), await startCopy()];
    },
    /** Does so after each so many writes. */
    every(writes: number, advance: () => Promise<void>) {
      let left = writes;
      afterWrite = async () => {
        if (--left > 0) return;
        left = writes;
        await advance();
      };
    },
    /** What a task sends: what the replica is asked, and what goes to the primary. */
    async requestsOf(task: () => Promise<unknown>) {
      const before = { ...counts };
      await task();
      return { reads: counts.reads - before.reads, writes: counts.writes - before.writes };
    },
  };
  return replica;
}

function onlyReads({ requests }: PipelineRequest): boolean {
  return requests.every((request) => {
    if (request.type === 'batch') return false;
    const sql = 'sql' in request ? request.sql : request.type === 'execute' ? request.stmt.sql : undefined;
    return sql === undefined || /^\s*select\b/i.test(sql);
  });
}
