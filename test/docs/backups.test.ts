import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { createDurably } from '../../src/index.ts';
import { openDatabase } from '../../src/sqlite.ts';
import { job } from '../support/jobs.ts';
import { untilStatus } from '../support/runs.ts';
import { deferred, until } from '../support/until.ts';
import { blocksOf, ROOT, readDocument, shellCommandsOf } from './markdown.ts';

const commands = blocksOf(readDocument('docs/backups.md'))
  .filter(({ language }) => language === 'sh')
  .flatMap(shellCommandsOf);
/** Those of a restore that need no systemd and no user of their own. */
const restoring = commands.filter((command) => /^(rm|cp) /.test(command));

const hasTool = async (name: string) =>
  await promisify(execFile)(name, ['--version']).then(
    () => true,
    () => false,
  );

/** Runs commands of the documentation, with folders of the test in the place of its own. */
async function shell(folder: string, lines: readonly string[]): Promise<void> {
  const here = lines
    .join('\n')
    .replaceAll('/var/lib/durably/', `${folder}/lib/`)
    .replaceAll('/backup/', `${folder}/backup/`);
  await promisify(execFile)('sh', ['-ec', here], { cwd: ROOT });
}

/** What each step's function was called for, and whether its run may go beyond its first step. */
const createWork = (called: string[], gate: Promise<void>) =>
  job('work', async (step, key) => {
    await step.run('first', () => void called.push(`${key} first`));
    await step.run('second', async () => {
      called.push(`${key} second`);
      if (key === 'held') await gate;
    });
    return key;
  });

async function open(folder: string, work: ReturnType<typeof createWork>) {
  const database = await openDatabase({ url: `file:${folder}/lib/durably.db` });
  const durably = createDurably({
    dialect: database.dialect,
    jobs: { work },
    pollingInterval: 25,
    maxConcurrentRuns: 4,
  });
  await durably.migrate();
  // A restore takes longer than leases last.
  await sql`update durably_runs set heartbeat_at = 0 where status = 'running'`.execute(durably.db);
  durably.start();
  const close = async () => {
    await durably.stop({ timeoutMs: 0 });
    await database.close();
  };
  return { durably, close };
}

test.for(['sqlite3', 'node'])(
  'a backup by %s under load is restored, and every run in it ends',
  async (tool, { skip }) => {
    const [backup = ''] = commands.filter((command) => command.startsWith(`${tool} `));
    expect(restoring).toHaveLength(2);
    if (!(await hasTool(tool))) return skip(`${tool} is not installed`);
    const folder = mkdtempSync(join(tmpdir(), 'durably-backup-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    for (const name of ['lib', 'backup']) mkdirSync(join(folder, name));

    const gate = deferred();
    const before: string[] = [];
    const first = await open(folder, createWork(before, gate.promise));
    const held = await first.durably.jobs.work.trigger('held');
    await until(() => before.includes('held second'), 'the held run to be at its second step');
    let isLoaded = true;
    let triggered = 0;
    const load = (async () => {
      while (isLoaded) {
        await first.durably.jobs.work.trigger(`load ${triggered++}`, { idempotencyKey: `${triggered}` });
      }
    })();
    await until(() => before.length > 50, 'the load');
    const earlier = triggered;
    await shell(folder, [backup]);
    const later = triggered;
    await until(() => triggered > later + 50, 'runs after the backup');
    isLoaded = false;
    await load;
    gate.resolve();
    await untilStatus(first.durably, held.id, 'completed');
    await first.close();

    await shell(folder, restoring);
    const after: string[] = [];
    const second = await open(folder, createWork(after, Promise.resolve()));
    onTestFinished(second.close);
    const { durably } = second;
    const { rows } = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(durably.db);
    expect(rows).toEqual([{ integrity_check: 'ok' }]);
    // The run that was at its second step goes on there.
    expect(await untilStatus(durably, held.id, 'completed')).toMatchObject({ output: 'held', attempt: 2 });
    expect(after.filter((step) => step.startsWith('held'))).toEqual(['held second']);
    await until(
      async () => (await durably.getRuns({ status: ['pending', 'running'] })).length === 0,
      'all runs to end',
    );
    const overview = await durably.getOverview();
    const { completed, ...others } = overview.runs;
    expect(Object.values(others).every((count) => count === 0)).toBe(true);
    // The held run is one more. The last of the others may not have been stored yet when the backup began.
    expect(completed).toBeGreaterThanOrEqual(earlier);
    expect(completed).toBeLessThan(triggered + 1);
    // What was triggered after the backup is unknown, and can be triggered again. What was in it is found.
    expect(await durably.jobs.work.trigger('load 0', { idempotencyKey: '1' })).toMatchObject({
      status: 'completed',
    });
    const again = await durably.jobs.work.trigger('again', { idempotencyKey: `${triggered}` });
    expect((await untilStatus(durably, again.id, 'completed')).output).toBe('again');
  },
);
