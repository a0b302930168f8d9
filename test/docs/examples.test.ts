import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { freePort } from '../support/net/free-port.ts';
import { listeningAt, makeCheckout, makeProject, type RunningService, startService } from './checkout.ts';
import { startCollector } from './collector.ts';
import { Console, exchangesOf } from './console.ts';
import { blocksIn, blocksOf, fileNameOf, readDocument, shellCommandsOf } from './markdown.ts';
import { compile, examplesInSources, PACKAGES, saveBlock } from './typescript.ts';

const folder = mkdtempSync(join(tmpdir(), 'durably-docs-'));
const checkout = join(folder, 'checkout');
const project = join(folder, 'project');
let service: RunningService;

// The test builds, compiles and starts a dozen processes, each of which takes seconds on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

beforeAll(async () => {
  makeCheckout(checkout);
  makeProject(project, checkout, PACKAGES);
  // `npm start` builds first. The project installs that build.
  service = await startService('npm start', { cwd: checkout, env: { PORT: '0', HOME: folder } });
});

afterAll(async () => {
  await service?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const runConsole = async (path: string, { url, home }: { url: string; home: string }) => {
  const reader = new Console({ folder: home, url });
  const blocks = blocksOf(readDocument(path)).filter(({ language }) => language === 'console');
  const exchanges = blocks.flatMap(exchangesOf);
  for (const exchange of exchanges) await reader.run(exchange);
  return exchanges.length;
};

describe('the commands of the documentation', () => {
  it('give the answers that the README shows, also for its first job', async () => {
    expect(await runConsole('README.md', { url: service.url, home: folder })).toBeGreaterThan(3);
  });

  it('give the answers that docs/http.md shows', async () => {
    expect(await runConsole('docs/http.md', { url: service.url, home: folder })).toBeGreaterThan(5);
  });

  it('create a key, start the service with it, and open a stream with a ticket', async () => {
    const home = join(folder, 'home');
    mkdirSync(home);
    await service.stop();
    const [setUp] = blocksOf(readDocument('docs/access.md')).filter(({ language }) => language === 'sh');
    const command = setUp?.code.replace('HOST=0.0.0.0', 'HOST=127.0.0.1') ?? '';
    // Without `prestart`, because it is built already.
    const env = { PORT: '0', HOME: home, npm_config_ignore_scripts: 'true' };
    const withKey = await startService(command, { cwd: checkout, env });
    onTestFinished(() => withKey.stop());
    expect(await runConsole('docs/access.md', { url: withKey.url, home })).toBeGreaterThan(4);
  });

  it('start a service by npm that SIGTERM ends without an orphan, and whose database is whole by itself then', async () => {
    const home = mkdtempSync(join(folder, 'stopped-'));
    const file = join(home, 'durably.db');
    const env = { PATH: process.env.PATH, HOME: home, PORT: '0', TURSO_DATABASE_URL: `file:${file}` };
    // Without `prestart`, because it is built already.
    const npm = spawn('npm', ['start', '--ignore-scripts'], { cwd: checkout, env, detached: true });
    const { pid = 0 } = npm;
    onTestFinished(() => void npm.kill('SIGKILL'));
    const url = await listeningAt(npm.stdout);
    const body = JSON.stringify({ jobName: 'greet', input: { name: 'Ada' } });
    const { runId } = await (await fetch(`${url}/api/durably/trigger`, { method: 'POST', body })).json();
    const closed = once(npm, 'close');
    // Not to its process group, as a terminal would send it.
    process.kill(pid, 'SIGTERM');
    await closed;
    expect(() => process.kill(-pid, 0)).toThrow('ESRCH');
    const copy = join(home, 'copy.db');
    copyFileSync(file, copy);
    const database = new Database(copy);
    onTestFinished(() => void database.close());
    expect(database.prepare('select id from durably_runs').all()).toEqual([{ id: runId }]);
  });

  it('appear in no other document', () => {
    const documents = blocksIn('console').map(({ document }) => document);
    expect([...new Set(documents)].sort()).toEqual(['README.md', 'docs/access.md', 'docs/http.md']);
  });

  it('create a token that the public key verifies', async () => {
    const { generateKeyPairSync, verify } = await import('node:crypto');
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    writeFileSync(join(folder, 'libsql.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const commands = blocksIn('sh').flatMap(shellCommandsOf);
    const command = commands.find((text) => text.startsWith('node -e')) ?? '';
    const { stdout } = await promisify(execFile)('sh', ['-c', command], { cwd: folder });
    const [head = '', claims = '', signature = ''] = stdout.trim().split('.');
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toEqual({ a: 'rw' });
    expect(
      verify(null, Buffer.from(`${head}.${claims}`), publicKey, Buffer.from(signature, 'base64url')),
    ).toBe(true);
  });

  it('prepare a project for installing the package', async () => {
    const commands = blocksIn('sh').flatMap(shellCommandsOf);
    const settings = commands.filter((text) => text.startsWith('npm pkg set'));
    const user = mkdtempSync(join(folder, 'user-'));
    writeFileSync(join(user, 'package.json'), '{}');
    await promisify(execFile)('sh', ['-c', settings.join('\n')], { cwd: user });
    const { type, overrides } = JSON.parse(readFileSync(join(user, 'package.json'), 'utf8'));
    const { version } = JSON.parse(
      readFileSync(join(project, 'node_modules/@libsql/client/package.json'), 'utf8'),
    );
    expect(type).toBe('module');
    expect(overrides).toEqual({ '@libsql/kysely-libsql': { '@libsql/client': `^${version}` } });
  });
});

describe('a TypeScript example of the documentation', () => {
  beforeAll(async () => {
    const inCheckout = /^src\//;
    const blocks = [...blocksIn('ts'), ...examplesInSources()];
    for (const block of blocks) {
      if (!inCheckout.test(fileNameOf(block) ?? '')) saveBlock(project, block);
    }
    expect(blocks.length).toBeGreaterThan(10);
  });

  it('compiles under --strict, also if it is in the sources', async () => {
    expect(await compile(project)).toBe('');
  });

  it.each(['main', 'libsql-dialect'])('runs: %s.ts', async (name) => {
    const { stdout } = await promisify(execFile)(process.execPath, [`out/${name}.js`], { cwd: project });
    expect(stdout).toBe('Hello Ada\n');
  });

  it('tests the first job, and an approval, with node:test', async () => {
    const inTest = { cwd: project, env: { ...process.env, NODE_OPTIONS: '' } };
    const files = [join(checkout, 'dist/jobs/greet.test.js'), 'out/approval.test.js'];
    const { stdout } = await promisify(execFile)(process.execPath, ['--test', ...files], inTest);
    expect(stdout).toMatch(/^# pass 4$/m);
  });

  it('serves the routes with node:http, and stops on request', async () => {
    const { child, url } = await startProgram('http-server');
    const runs = await vi.waitFor(() => fetch(`${url}/runs`), 10_000);
    expect(await runs.json()).toEqual(expect.any(Array));
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
  });

  it('sends one trace of a request, its run and its step to a collector', async () => {
    const [block] = blocksIn('sh').filter(({ code }) => code.includes('DURABLY_TRACING'));
    copyFileSync(join(project, 'out/instrumentation.mjs'), join(checkout, 'instrumentation.mjs'));
    const collector = await startCollector();
    const env = { PORT: '0', HOME: folder, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
    const traced = await startService(block?.code ?? '', { cwd: checkout, env });
    onTestFinished(() => traced.stop());
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const response = await fetch(`${traced.url}/api/durably/trigger`, {
      method: 'POST',
      headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
      body: JSON.stringify({ jobName: 'greet', input: { name: 'Ada' } }),
    });
    const { runId } = await response.json();
    await vi.waitFor(async () => {
      const run = await fetch(`${traced.url}/api/durably/run?runId=${runId}`);
      expect(await run.json()).toMatchObject({ status: 'completed' });
    }, 10_000);
    await traced.stop('SIGTERM');
    const spans = collector.spans().filter((span) => span.traceId === traceId);
    const sent = new Set(spans.map(({ name }) => name));
    expect(sent).toEqual(new Set(['create greet', 'process greet', 'step compose']));
  });

  it('accepts a trigger below Hono middleware that has read its body', async () => {
    const { url } = await startProgram('hono-server');
    await vi.waitFor(() => fetch(`${url}/runs`), 10_000);
    const body = JSON.stringify({ jobName: 'greet', input: { name: 'Ada' } });
    const response = await fetch(`${url}/trigger`, { method: 'POST', body });
    expect([response.status, await response.json()]).toMatchObject([200, { runId: expect.any(String) }]);
  });
});

/** A compiled program of the documentation, on a port of the test's. */
async function startProgram(name: string) {
  const port = await freePort();
  const file = join(project, `out/${name}.js`);
  writeFileSync(file, readFileSync(file, 'utf8').replace('3000', String(port)));
  const child = spawn(process.execPath, [file], { cwd: project, stdio: ['ignore', 'ignore', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return { child, url: `http://127.0.0.1:${port}/api/durably` };
}
