import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../app/temporary.ts';
import { freePort } from '../support/net/free-port.ts';
import { listen } from '../support/net/listening.ts';
import { run, serve } from './command.ts';

vi.setConfig({ testTimeout: 90_000 });

describe('a mistake is told in one line, with exit code 3', () => {
  it.each([
    [['runs', '--limt', '3'], /unknown option '--limt' \(Did you mean --limit\?\)/],
    [['runs', '--jsn'], /unknown option '--jsn' \(Did you mean --json\?\)/],
    [['wach', 'run_1'], /unknown command 'wach' \(Did you mean watch\?\)/],
    [['watch'], /missing required argument 'id'/],
    [['runs', '--status', 'done'], /Give one of pending, waiting, running/],
    [['trigger', 'greet', '--label', 'org'], /Give key=value/],
    [['trigger', 'greet', '--input', '{x'], /--input is no JSON/],
    [['trigger', 'greet', '--input', '@missing.json'], /--input names a file that can't be read/],
    [['runs', '--url', 'localhost:3000'], /localhost:3000 is no address of a service/],
    [['serve', 'missing.ts'], /there is no file missing\.ts/],
  ])('%j', async (args, expected) => {
    const { code, stdout, stderr } = await run(args);
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toMatch(/^durably: [^\n]+\n$/);
    expect(stderr).toMatch(expected);
  });

  it('a module that is broken, or exports no job', async () => {
    const cwd = await temporaryFolder();
    writeFileSync(join(cwd, 'broken.ts'), 'export const jobs = {');
    writeFileSync(join(cwd, 'empty.ts'), 'export const jobs = { greet: 5 };');
    const [broken, empty] = await Promise.all([
      run(['serve', 'broken.ts'], { cwd }),
      run(['serve', 'empty.ts'], { cwd }),
    ]);
    expect(broken).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/^durably: broken\.ts can't be loaded: [^\n]+\n$/),
    });
    expect(empty).toMatchObject({
      code: 3,
      stderr: 'durably: empty.ts exports no job: export what defineJob returns\n',
    });
  });
});

it('help has examples and the exit codes, and exits with 0', async () => {
  const [help, ofCommand, version] = await Promise.all([
    run(['--help']),
    run(['trigger', '--help']),
    run(['--version']),
  ]);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toMatch(/Exit codes: 0 done/);
  expect(ofCommand.stdout).toMatch(/\$ durably trigger import-csv/);
  expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

it('a service that is not there is told with exit code 5, and a wrong key with 4', async () => {
  const port = await freePort();
  const { url } = await serve({ DURABLY_API_KEYS: `ada:${'k'.repeat(32)}` });
  const [away, keyless, known] = await Promise.all([
    run(['runs', '--url', `http://127.0.0.1:${port}/api/durably`]),
    run(['runs', '--url', url]),
    run(['runs', '--url', url], { env: { DURABLY_API_KEY: 'k'.repeat(32) } }),
  ]);
  expect(away.code).toBe(5);
  expect(away.stderr).toMatch(
    /^durably: [^\n]*ECONNREFUSED[^\n]*start the service with durably serve[^\n]*\n$/,
  );
  expect(keyless).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/give a key with --api-key or DURABLY_API_KEY\n$/),
  });
  expect(known).toMatchObject({ code: 0, stdout: 'no runs\n', stderr: '' });
});

describe('doctor', () => {
  const doctor = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const cwd = await temporaryFolder();
    const ended = await run(['doctor', ...args], { cwd, env: { PORT: String(await freePort()), ...env } });
    expect(ended.stderr).toBe('');
    return ended;
  };

  it('finds nothing wrong with a service that works', async () => {
    const { folder, url } = await serve();
    const ended = await doctor(['--url', url, '--database', join(folder, 'jobs.db')]);
    expect(ended.stdout).toMatch(
      /✓ Node [\s\S]*✓ the schema has version[\s\S]*✓ the database takes writes[\s\S]*✓ port [\s\S]*answers, with 4 jobs/,
    );
    expect(ended.code).toBe(0);
  });

  it('says that a key is missing, and which base path is right', async () => {
    const keyed = await serve({ DURABLY_API_KEYS: `ada:${'k'.repeat(32)}` });
    const open = await serve();
    const [keyless, astray] = await Promise.all([
      doctor(['--url', keyed.url]),
      doctor(['--url', open.url.replace('/api/durably', '/api')]),
    ]);
    expect(keyless).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/✗ the service at .* wants a key/),
    });
    expect(astray.code).toBe(1);
    expect(astray.stdout).toContain(`its operations are below ${open.url}`);
  });

  it('says what is wrong with the database, the settings and the port', async () => {
    const folder = await temporaryFolder();
    mkdirSync(join(folder, 'dir.db'));
    writeFileSync(
      join(folder, 'text.db'),
      'no database at all, but a text that is long enough to be read'.repeat(20),
    );
    const other = await listen((_, response) => void response.end('hello'));
    const [isFolder, isText, isNew, isSet, isTaken, isAway] = await Promise.all([
      doctor(['-d', join(folder, 'dir.db')]),
      doctor(['-d', join(folder, 'text.db')]),
      doctor(['-d', join(folder, 'new.db')]),
      doctor([], { DURABLY_CONCURRENCY: 'many', DURABLY_CONCURENCY: '5' }),
      doctor([], { PORT: String(other.port) }),
      doctor(['-d', `http://127.0.0.1:${await freePort()}`]),
    ]);
    expect(isFolder).toMatchObject({ code: 1, stdout: expect.stringMatching(/✗ .*dir\.db is a folder/) });
    expect(isText).toMatchObject({ code: 1, stdout: expect.stringMatching(/✗ .*no SQLite database/) });
    expect(isNew).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/! the database .* does not exist yet/),
    });
    expect(isSet).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(
        /! settings: .*DURABLY_CONCURRENCY\?\)[\s\S]*✗ settings: DURABLY_CONCURRENCY must be/,
      ),
    });
    expect(isTaken).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/✗ cannot listen .*another process listens there/),
    });
    expect(isAway).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/✗ cannot reach the database server/),
    });
  });
});

it('migrate makes the schema, and doctor says so', async () => {
  const cwd = await temporaryFolder();
  const database = pathToFileURL(join(cwd, 'durably.db')).href;
  const env = { TURSO_DATABASE_URL: database, PORT: '0' };
  expect(await run(['migrate'], { cwd, env })).toMatchObject({
    code: 0,
    stdout: 'the schema is up to date\n',
    stderr: '',
  });
  expect((await run(['migrate', '--json'], { cwd, env })).stdout).toBe('{"migrated":true}\n');
  expect((await run(['doctor'], { cwd, env })).stdout).toMatch(/✓ the schema has version \d+, the newest/);
});
