import { cpSync, existsSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it, vi } from 'vitest';
import { temporaryFolder } from '../app/temporary.ts';
import { ROOT } from '../support/built/builds.ts';
import { listening, PACKAGE, run, startCommand, startNode } from './command.ts';

vi.setConfig({ testTimeout: 90_000 });

const JOB = `
import { writeFileSync } from 'node:fs';
import { defineJob } from 'durably';
import { z } from 'zod';

export const last = defineJob({
  name: 'last',
  input: z.object({}),
  run: async (step) => {
    const signalled = new Promise((resolve) => process.once('SIGTERM', () => setImmediate(resolve)));
    writeFileSync('started.txt', '');
    await signalled;
    await step.run('end', () => writeFileSync('ended.txt', ''));
  },
});
`;

it('serve drains when nobody reads its output', async () => {
  const cwd = await temporaryFolder();
  writeFileSync(join(cwd, 'jobs.ts'), JOB);
  const served = startCommand(['serve', 'jobs.ts', '--port', '0', '--database', 'jobs.db'], {
    cwd,
    env: { DURABLY_POLLING_INTERVAL_MS: '50' },
  });
  const url = `${await listening(served)}/api/durably`;
  served.process.stdout?.destroy();
  expect(await run(['trigger', 'last', '--url', url])).toMatchObject({ code: 0, stderr: '' });
  await vi.waitFor(() => expect(existsSync(join(cwd, 'started.txt'))).toBe(true), 60_000);
  served.process.kill('SIGTERM');
  expect(await served.ended).toMatchObject({ code: 0, stderr: '' });
  expect(existsSync(join(cwd, 'ended.txt'))).toBe(true);
});

/** A signal arrives as soon as one of these modules is looked for. */
const signalAt = (module: string) => {
  const hook = `export const resolve = (name, context, next) => {
    if (name === '${module}') process.kill(process.pid, 'SIGTERM');
    return next(name, context);
  }`;
  const dataUrl = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;
  const register = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hook))});`;
  return { NODE_OPTIONS: `--import=${dataUrl(register)}` };
};

it('a signal while the service or the jobs are loaded ends it with 0', async () => {
  const cwd = await temporaryFolder();
  writeFileSync(
    join(cwd, 'slow.ts'),
    `await new Promise((resolve) => setTimeout(resolve, 2 ** 30, console.log('loading')));`,
  );
  const slow = startCommand(['--json', 'serve', 'slow.ts'], { cwd });
  const [atCommander, atKysely] = await Promise.all([
    run(['serve'], { cwd, env: signalAt('commander') }),
    startNode(join(PACKAGE, 'dist/entry/node.js'), [], { cwd, env: signalAt('kysely') }).ended,
    vi.waitFor(() => expect(slow.output.stdout).toContain('loading'), 60_000),
  ]);
  slow.process.kill('SIGTERM');
  for (const ended of [await slow.ended, atCommander, atKysely]) {
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/SIGTERM: stopped before/) });
  }
});

it('loads jobs with the classes of its own package, also below a folder with # and ? in its name', async () => {
  const folder = join(await temporaryFolder(), 'a#b?c');
  const modules = join(folder, 'node_modules');
  cpSync(PACKAGE, join(modules, 'durably'), { recursive: true });
  for (const name of readdirSync(join(ROOT, 'node_modules')).filter((each) => !each.startsWith('.'))) {
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  const home = pathToFileURL(join(modules, 'durably/dist/')).href;
  writeFileSync(
    join(folder, 'jobs.ts'),
    `import { defineJob, DurablyError } from 'durably';
    import { z } from 'zod';
    export const job = { ...defineJob({ name: 'job', input: z.object({}), run: () => 1 }), DurablyError };`,
  );
  writeFileSync(
    join(folder, 'load.mjs'),
    `import { DurablyError } from '${home}index.js';
    import { loadJobs } from '${home}cli/jobs-module.js';
    const { job } = await loadJobs('jobs.ts');
    console.log(job.name, job.DurablyError === DurablyError);`,
  );
  const env = { NODE_OPTIONS: '--preserve-symlinks' };
  const ended = await startNode(join(folder, 'load.mjs'), [], { cwd: folder, env }).ended;
  expect(ended).toEqual({ code: 0, stdout: 'job true\n', stderr: '' });
});

it('serve that cannot start exits with 4', async () => {
  const cwd = await temporaryFolder();
  writeFileSync(join(cwd, 'jobs.ts'), JOB);
  const ended = await run(['serve', 'jobs.ts'], { cwd, env: { PORT: 'none' } });
  expect(ended).toMatchObject({ code: 4, stderr: expect.stringMatching(/cannot start: .*PORT/) });
});
