import { join } from 'node:path';
import { createClient } from '@libsql/client';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { curl, wordsOfCurl } from '../docs/curl.ts';
import { ROOT } from '../docs/markdown.ts';
import { type ExampleProcess, runReadme, startExample, temporaryFolder } from './example.ts';

vi.setConfig({ testTimeout: 120_000 });

const PRODUCTS = 600;
const BATCHES = 12;

const importedBy = ({ output }: ExampleProcess) =>
  [...output().matchAll(/imported (rows \S+)/g)].map(([, name = '']) => name);

async function trigger(url: string, input: object): Promise<string> {
  const body = JSON.stringify({ jobName: 'nightly-import', input: { file: 'data/prices.csv', ...input } });
  const response = await fetch(`${url}/api/durably/trigger`, { method: 'POST', body });
  return z.object({ runId: z.string() }).parse(await response.json()).runId;
}

async function countProducts(folder: string): Promise<unknown> {
  const client = createClient({ url: `file:${folder}/products.db` });
  const { rows } = await client.execute('select count(*) as count from products');
  client.close();
  return rows[0]?.count;
}

test('the nightly import answers as its README shows', async () => {
  const data = temporaryFolder();
  const example = await startExample('nightly-import', { data });
  expect(await runReadme('nightly-import', example.url)).toBe(4);
  await example.end('SIGKILL');
  expect(await countProducts(data)).toBe(PRODUCTS);
});

test('after kill -9 the nightly import runs no finished step again', async () => {
  const data = temporaryFolder();
  const killed = await startExample('nightly-import', { data });
  const runId = await trigger(killed.url, { pauseMs: 200 });
  const stepsOf = async (url: string) => {
    const response = await fetch(`${url}/api/durably/steps?runId=${runId}`);
    return z.array(z.object({ name: z.string() })).parse(await response.json());
  };
  await vi.waitFor(async () => expect((await stepsOf(killed.url)).length).toBeGreaterThan(2), 20_000);
  await killed.end('SIGKILL');

  const next = await startExample('nightly-import', { data });
  const finished = (await stepsOf(next.url)).map(({ name }) => name);
  const stream = await (await fetch(`${next.url}/api/durably/subscribe?runId=${runId}`)).text();
  expect(stream).toContain('"type":"run:complete"');
  // The last line of the killed process may belong to the step that was interrupted.
  expect(importedBy(killed).slice(0, -1)).toEqual(finished.slice(0, importedBy(killed).length - 1));
  const importedAgain = importedBy(next).filter((name) => finished.includes(name));
  expect(importedAgain).toEqual([]);
  expect(importedBy(next).length).toBeGreaterThan(0);
  expect(await stepsOf(next.url)).toHaveLength(BATCHES);
  expect(await next.end('SIGTERM')).toEqual([0, null]);
  expect(await countProducts(data)).toBe(PRODUCTS);
});

test('two nightly triggers of a day are one run', async () => {
  const { url } = await startExample('nightly-import', { data: temporaryFolder() });
  const script = join(ROOT, 'examples/nightly-import/nightly.sh');
  const runScript = async () => {
    const words = await wordsOfCurl(`. "${script}"`, { PATH: process.env.PATH ?? '', DURABLY_URL: url });
    return JSON.parse(await curl(words, { isEnough: () => false, patienceMs: 20_000 }));
  };
  const { runId, disposition } = await runScript();
  expect([runId, disposition]).toEqual([expect.stringMatching(/^run_/), 'created']);
  expect(await runScript()).toEqual({ runId, disposition: 'idempotent' });
});
