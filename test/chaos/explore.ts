import { copyFileSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync, chmodSync, chownSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { execSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { Fleet } from './support/fleet.ts';
import { withDatabase } from './support/records.ts';
import { eventually } from './support/eventually.ts';

async function show(name: string, work: (fleet: Fleet) => Promise<void>) {
  const fleet = new Fleet();
  console.log('=====', name);
  try { await work(fleet); } catch (e) { console.log('THREW', e); }
  for (const s of fleet.all) console.log(s.name, '::', s.log.slice(-1500));
  await fleet.dispose();
}
async function fill(fleet: Fleet, n = 300) {
  const s = await fleet.start();
  const api = fleet.api(s);
  await Promise.all(Array.from({ length: n }, () => api.triggered({ jobName: 'work', input: { steps: 3 } })));
  await pause(500);
  return s;
}
const only = process.argv[2];
const run = async (name: string, work: (fleet: Fleet) => Promise<void>) => { if (!only || name.includes(only)) await show(name, work); };
await run('garbage', async (fleet) => {
  mkdirSync(dirname(fleet.database)); writeFileSync(fleet.database, 'this is no database '.repeat(500));
  const s = fleet.spawn(); console.log(await s.exited, statSync(fleet.database).size);
});
await run('truncated', async (fleet) => {
  const s = await fill(fleet); await s.kill();
  withDatabase(fleet.database, (d) => d.exec('pragma wal_checkpoint(truncate)'));
  const size = statSync(fleet.database).size; truncateSync(fleet.database, Math.floor(size / 2 / 4096) * 4096);
  const t = fleet.spawn();
  console.log(await Promise.race([t.exited, t.listening()]));
  if (t.isAlive) {
    await pause(1000);
    const api = fleet.api(t);
    console.log((await api.ready()).text);
    console.log((await api.trigger({ jobName: 'work', input: { steps: 1 } })));
  }
});
await run('newer', async (fleet) => {
  const s = await fill(fleet, 1); await s.kill();
  withDatabase(fleet.database, (d) => d.exec("insert into durably_schema_versions values (99, 'x', 1)"));
  const t = fleet.spawn();
  console.log(await t.exited);
});
await run('readonly-start', async (fleet) => {
  const s = await fill(fleet, 1); await s.kill();
  chmodSync(fleet.database, 0o444); chmodSync(dirname(fleet.database), 0o555);
  const t = fleet.spawn({}, { uid: 65534 });
  console.log(await Promise.race([t.exited, t.listening()]));
  await pause(1000);
  if (t.isAlive) console.log((await fleet.api(t).ready()).text, await fleet.api(t).trigger({ jobName: 'work', input: { steps: 1 } }));
});
await run('fsize', async (fleet) => {
  const t = await fleet.start({}, {});
  const api = fleet.api(t);
  await api.triggered({ jobName: 'work', input: { steps: 3 } });
  execSync(`prlimit --pid ${t.pid} --fsize=${300 * 1024}:unlimited`);
  for (let i = 0; i < 60; i++) {
    const a = await api.trigger({ jobName: 'work', input: { steps: 1, key: 'x'.repeat(10000) } });
    if (a.status !== 200) { console.log(i, a.status, a.text); break; }
  }
  await pause(1000);
  console.log((await api.ready()).text);
  console.log((await api.trigger({ jobName: 'work', input: { steps: 1 } })).text);
  execSync(`prlimit --pid ${t.pid} --fsize=unlimited:unlimited`);
  await eventually('trigger', async () => (await api.trigger({ jobName: 'work', input: { steps: 1 } })).status === 200);
  console.log((await api.ready()).text);
  await eventually('done', async () => (await api.runs('status=pending')).length === 0 && (await api.runs('status=running')).length === 0);
  console.log('all done', (await api.runs('status=completed')).length);
});
await run('tmpfs', async (fleet) => {
  mkdirSync(dirname(fleet.database)); execSync(`mount -t tmpfs -o size=1m tmpfs ${dirname(fleet.database)}`);
  try {
    const t = await fleet.start({}, {});
    const api = fleet.api(t);
    await api.triggered({ jobName: 'work', input: { steps: 3 } });
    try { writeFileSync(join(dirname(fleet.database), 'ballast'), Buffer.alloc(2_000_000)); } catch (e) { console.log(String(e)); }
    for (let i = 0; i < 60; i++) {
      const a = await api.trigger({ jobName: 'work', input: { steps: 1, key: 'x'.repeat(1000) } });
      if (a.status !== 200) { console.log(i, a.status, a.text); break; }
    }
    await pause(1000);
    console.log((await api.ready()).text);
    console.log((await api.trigger({ jobName: 'work', input: { steps: 1 } })).text);
    rmSync(join(dirname(fleet.database), 'ballast'));
    await eventually('trigger', async () => (await api.trigger({ jobName: 'work', input: { steps: 1 } })).status === 200);
    console.log((await api.ready()).text);
    await eventually('done', async () => (await api.runs('status=pending')).length === 0 && (await api.runs('status=running')).length === 0);
    console.log('all done', (await api.runs('status=completed')).length);
    await fleet.all[0]?.kill();
  } finally { execSync(`umount -l ${dirname(fleet.database)}`); }
});
await run('remount', async (fleet) => {
  mkdirSync(dirname(fleet.database)); execSync(`mount -t tmpfs -o size=10m tmpfs ${dirname(fleet.database)}`);
  try {
    const t = await fleet.start({}, {});
    const api = fleet.api(t);
    await api.triggered({ jobName: 'work', input: { steps: 3 } });
    try { execSync(`mount -o remount,ro ${dirname(fleet.database)}`); } catch (e) { console.log(String(e)); }
    await pause(500);
    await fleet.all[0]?.kill();
  } finally { execSync(`umount -l ${dirname(fleet.database)}`); }
});
await run('trunc-live', async (fleet) => {
  const t = await fill(fleet, 100); const api = fleet.api(t);
  withDatabase(fleet.database, (d) => d.exec('pragma wal_checkpoint(truncate)'));
  copyFileSync(fleet.database, `${fleet.database}.copy`);
  truncateSync(fleet.database, 4096 * 3);
  await pause(1000);
  console.log((await api.ready()).text, (await api.trigger({ jobName: 'work', input: { steps: 1 } })).text);
  writeFileSync(fleet.database, readFileSync(`${fleet.database}.copy`));
  await pause(3000);
  console.log((await api.ready()).text, (await api.trigger({ jobName: 'work', input: { steps: 1 } })).text);
});
await run('chmod-live', async (fleet) => {
  mkdirSync(dirname(fleet.database)); chownSync(dirname(fleet.database), 65534, 65534);
  const t = await fleet.start({}, { uid: 65534 }); const api = fleet.api(t);
  await api.triggered({ jobName: 'work', input: { steps: 3 } });
  chmodSync(dirname(fleet.database), 0o000);
  await pause(500);
  console.log((await api.ready()).text, (await api.trigger({ jobName: 'work', input: { steps: 1 } })).text);
});
process.exit(0);
