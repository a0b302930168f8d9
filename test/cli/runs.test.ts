import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { type Ended, listening, serve, startCommand } from './command.ts';

// Each test starts a service and a dozen commands.
vi.setConfig({ testTimeout: 90_000 });

const objectsIn = ({ stdout }: Ended) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

/** Triggers a run, and returns its id. */
async function triggered(
  durably: Awaited<ReturnType<typeof serve>>['durably'],
  args: readonly string[],
): Promise<string> {
  const ended = await durably(['trigger', ...args, '--json']);
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  return objectsIn(ended)[0].runId;
}

it('serves a module of jobs, triggers runs with JSON, a file and the standard input, and exits as they end', async () => {
  const { folder, durably } = await serve();
  writeFileSync(join(folder, 'input.json'), '{"name": "Grace"}');
  const [given, file, input, failed] = await Promise.all([
    durably(['trigger', 'greet', '--input', '{"name": "Ada"}', '--watch', '--json']),
    durably(['trigger', 'greet', '-i', '@input.json', '-w']),
    durably(['trigger', 'greet', '-i', '-', '-w'], { input: '{"name": "Linus"}' }),
    durably(['trigger', 'fail', '--watch']),
  ]);
  expect([given.code, file.code, input.code, failed.code]).toEqual([0, 0, 0, 1]);
  expect(objectsIn(given).at(-1)).toMatchObject({ type: 'run:complete', output: { text: 'Hello Ada' } });
  expect(file.stdout).toMatch(/^run_\w{26} created\n[\s\S]*step:complete {2}compose[\s\S]*run:complete/);
  expect(failed.stdout).toMatch(/run:fail +no luck/);
  const runs = objectsIn(await durably(['runs', '--job', 'greet', '--json']));
  expect(runs.map(({ payload }) => payload.name).sort()).toEqual(['Ada', 'Grace', 'Linus']);
});

it('shows a run by the beginning of its id, as a tree with the runs below it, and its logs', async () => {
  const { durably } = await serve();
  const runId = await triggered(durably, ['parent', '--label', 'org=1', '--label', 'kind=x']);
  await durably(['watch', runId]);
  const [tree, json, table, ambiguous, unknown] = await Promise.all([
    durably(['run', runId.slice('run_'.length, -1)]),
    durably(['run', runId, '--json']),
    durably(['runs', '--label', 'org=1', '--status', 'completed,failed']),
    durably(['run', 'run_0']),
    durably(['run', 'run_ZZ']),
  ]);
  expect(tree.stdout).toMatch(
    /✓ completed {2}parent {2}run_\w+.*\n[\s\S]*labels {4}\{"org":"1","kind":"x"\}[\s\S]*├─ ✓ child \(invoke\).*\n└─ ✓ completed {2}greet.*\n {3}└─ ✓ compose/,
  );
  expect(objectsIn(json)[0]).toMatchObject({ run: { id: runId }, children: [{ run: { jobName: 'greet' } }] });
  expect(table.stdout).toContain(runId);
  expect(ambiguous).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/^durably: 2 runs have an id .*\n$/),
  });
  expect(unknown).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/^durably: no run has an id .*\n$/),
  });

  const childId = objectsIn(json)[0].children[0].run.id;
  const [logs, warnings, followed] = await Promise.all([
    durably(['logs', childId]),
    durably(['logs', childId, '--level', 'warn', '--json']),
    durably(['logs', childId, '-f']),
  ]);
  expect(logs.stdout).toMatch(/info +composed \{"text":"Hello Eve"\}\n.*warn +done \\u001b\[31m/);
  expect(objectsIn(warnings)).toMatchObject([{ level: 'warn', data: { tone: 'loud' } }]);
  expect(followed.stdout).toBe(logs.stdout);
});

it('signals, cancels, retries, forks, retriggers and deletes runs', async () => {
  const { durably } = await serve();
  const [asked, cancelled] = await Promise.all([triggered(durably, ['ask']), triggered(durably, ['ask'])]);
  const watching = durably(['watch', cancelled]);
  await durably(['signal', asked, 'go', '--payload', '{"ok": true}']);
  expect(await durably(['cancel', cancelled])).toMatchObject({ code: 0, stdout: `${cancelled} cancelled\n` });
  expect((await watching).code).toBe(2);
  expect(await durably(['retry', cancelled])).toMatchObject({ code: 0 });
  await durably(['signal', cancelled, 'go']);
  expect((await durably(['watch', cancelled])).code).toBe(0);

  const greeting = await triggered(durably, ['greet', '-i', '{"name": "Ada"}']);
  await durably(['watch', greeting]);
  const [forked, again] = await Promise.all([
    durably(['fork', greeting, '--from', 'compose', '--input', '{"name": "Eve"}', '--watch', '--json']),
    durably(['retrigger', greeting, '--json']),
  ]);
  expect(objectsIn(forked)[0]).toEqual({ runId: greeting, newRunId: expect.stringMatching(/^run_/) });
  expect(objectsIn(forked).at(-1)).toMatchObject({ output: { text: 'Hello Eve' } });
  expect((await durably(['watch', objectsIn(again)[0].newRunId])).code).toBe(0);
  expect(await durably(['delete', greeting])).toMatchObject({ code: 0, stdout: `${greeting} deleted\n` });
  expect(await durably(['delete', greeting])).toMatchObject({
    code: 3,
    stderr: `durably: there is no run ${greeting}\n`,
  });
});

it('lists jobs and schedules, and pauses them', async () => {
  const { durably } = await serve();
  const paused = await durably(['pause', 'greet']);
  expect(paused).toMatchObject({ code: 0, stdout: 'job greet paused\n' });
  const [jobs, json, schedules, both, unknown] = await Promise.all([
    durably(['jobs']),
    durably(['jobs', '--json']),
    durably(['schedules']),
    durably(['pause', 'greet', '--schedule', 'nightly']),
    durably(['resume', 'gret']),
  ]);
  expect(jobs.stdout).toMatch(/^greet +paused$/m);
  expect(objectsIn(json).map(({ name }) => name)).toEqual(['ask', 'fail', 'greet', 'parent']);
  expect(schedules.stdout).toBe('no schedules\n');
  expect([both.code, unknown.code]).toEqual([3, 3]);
  expect(await durably(['resume', 'greet', '--json'])).toMatchObject({
    stdout: '{"job":"greet","paused":false}\n',
  });
});

it('a watch goes on when the service is started again', async () => {
  const { folder, url, served, durably } = await serve({
    DURABLY_STALE_THRESHOLD_MS: '500',
    DURABLY_HEARTBEAT_INTERVAL_MS: '100',
  });
  const runId = await triggered(durably, ['ask']);
  const watching = startCommand(['watch', runId], { cwd: folder, env: { DURABLY_URL: url } });
  await vi.waitFor(() => expect(watching.output.stdout).toContain('run:wait'), 60_000);
  served.process.kill('SIGKILL');
  await served.ended;
  const { port } = new URL(url);
  await listening(startCommand(['serve', 'jobs.ts', '-p', port, '-d', 'jobs.db'], { cwd: folder }));
  const isTold = () =>
    expect(watching.output.stderr).toMatch(/the connection was lost; trying again in \d s/);
  await vi.waitFor(isTold, 60_000);
  expect((await durably(['signal', runId, 'go'])).code).toBe(0);
  expect((await watching.ended).code).toBe(0);
  expect(watching.output.stdout.match(/run:trigger/g)).toHaveLength(1);
});
