import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { sql } from 'kysely';
import { z } from 'zod';
import { assembleDurably, type Durably } from '../../../src/create-durably.ts';
import { defineJob } from '../../../src/index.ts';
import { openDatabase } from '../../../src/sqlite.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import type { Outcome } from './outcome.ts';

const HOUR_MS = 3_600_000;
const DAY_HOURS = 24;
const DAYS = 7;
/** The ages of runs are moved on so often. */
const AGEING_HOURS = 6;
const EVERY_HOURS = [1, 2, 3, 4, 6, 8, 12, 24, 48, 84];
/** After two days old runs make room for new ones. */
const SETTLED_DAY = 3;
const MAX_GROWTH = 1.15;
const MAX_HEAP_GROWTH_MB = 20;
const BATCH = 1_000;

const empty = defineJob({ name: 'empty', input: z.number(), run: () => undefined });
const tick = defineJob({ name: 'tick', input: z.unknown(), run: () => undefined });

/**
 * A week in fast motion: two instances on one file, ten schedules, a retention of a day, and this many other runs, spread over the hours.
 * Each hour the times in the database are moved back by an hour, and the clocks of the instances on.
 */
export async function weekInFastMotion({ runs }: { readonly runs: number }): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'durably-week-'));
  const clock = new FakeClock();
  const url = `file:${join(folder, 'week.db')}`;
  const opened = [await openDatabase({ url }), await openDatabase({ url })];
  const instances = opened.map((database) => {
    const options = {
      dialect: database.dialect,
      pollingInterval: 60_000,
      maxConcurrentRuns: 10,
      retainRuns: '1d',
    } as const;
    return assembleDurably(options, { clock });
  });
  try {
    return await live(instances, { clock, runs });
  } finally {
    for (const durably of instances) {
      const stopped = durably.stop({ timeoutMs: 0 });
      clock.advance(1_000);
      await stopped;
      await durably.db.destroy();
    }
    for (const database of opened) await database.close();
    rmSync(folder, { recursive: true });
  }
}

async function live(
  instances: readonly Durably[],
  { clock, runs }: { readonly clock: FakeClock; readonly runs: number },
): Promise<Outcome> {
  const [durably] = instances;
  if (durably === undefined) throw new Error('no instance');
  const violations: string[] = [];
  for (const each of instances) {
    each.on('worker:error', ({ context, error }) => violations.push(`${context}: ${String(error)}`));
    each.register({ empty, tick });
    await each.init();
  }
  const handles = durably.register({ empty });
  for (const hours of EVERY_HOURS) {
    // The database's clock goes on while the hours pass, so the slots come late.
    const schedule = { id: `every ${hours}`, jobName: 'tick', input: 0, missed: 'all' } as const;
    await durably.schedule({ ...schedule, every: `${hours}h` });
  }
  const perHour = Math.ceil(runs / (DAYS * DAY_HOURS));
  const days: { readonly pages: number; readonly heapMb: number; readonly kept: number }[] = [];
  let triggered = 0;
  let ended = 0;
  for (const each of instances) {
    each.on('run:complete', ({ jobName }) => {
      if (jobName === 'empty') ended++;
    });
  }
  let fired = 0;
  let seen = 0;
  for (let hour = 1; hour <= DAYS * DAY_HOURS; hour++) {
    for (let made = 0; made < perHour; made += BATCH) {
      const inputs = Array.from({ length: Math.min(BATCH, perHour - made) }, (_, i) => i);
      await handles.empty.batchTrigger(inputs);
      triggered += inputs.length;
    }
    await moveSchedules(durably);
    if (hour % AGEING_HOURS === 0) await ageRuns(durably, AGEING_HOURS * HOUR_MS);
    await letPass(clock, durably, HOUR_MS);
    const news = await scheduledSince(durably, seen);
    fired += news.runs;
    seen = news.upTo;
    const expected = EVERY_HOURS.reduce((sum, hours) => sum + Math.floor(hour / hours), 0);
    if (fired !== expected) violations.push(`hour ${hour}: ${fired} slots were fired, not ${expected}`);
    if (ended !== triggered) violations.push(`hour ${hour}: ${ended} of ${triggered} runs have ended`);
    if (violations.length > 5) break;
    if (hour % DAY_HOURS === 0) days.push(await sizesOf(durably));
  }
  return judge(days, violations, { runs: triggered, fired });
}

/**
 * Lets time pass, from one timer to the next, because a call must not wait longer than it may. Goes on until nothing is to be
 * executed or removed.
 */
async function letPass(clock: FakeClock, durably: Durably, ms: number): Promise<void> {
  const untilMs = clock.monotonicMs() + ms;
  for (let pauses = 0; ; pauses++) {
    await idle();
    const restMs = untilMs - clock.monotonicMs();
    const isSettled = restMs <= 0 && (await countLeft(durably)) === 0;
    if (isSettled) return;
    if (pauses > 100_000) throw new Error('the instances do nothing');
    const nextMs = clock.pendingMs[0] ?? ms;
    clock.advance(restMs > 0 ? Math.min(nextMs, restMs) : nextMs);
  }
}

async function countLeft({ db }: Durably): Promise<number> {
  const { rows } = await sql<{ left: number }>`
    select (select count(*) from durably_runs where status in ('pending', 'running'))
      + (select count(*) from durably_deletions) as left`.execute(db);
  return rows[0]?.left ?? 0;
}

async function moveSchedules({ db }: Durably): Promise<void> {
  await sql`update durably_schedules set next_at = next_at - ${HOUR_MS}, anchor_at = anchor_at - ${HOUR_MS}`.execute(
    db,
  );
}

async function ageRuns({ db }: Durably, byMs: number): Promise<void> {
  await sql`update durably_runs set completed_at = completed_at - ${byMs} where completed_at is not null`.execute(
    db,
  );
  await sql`update durably_journal set created_at = created_at - ${byMs} where type = 'run:delete'`.execute(
    db,
  );
}

async function scheduledSince({ db }: Durably, seen: number): Promise<{ runs: number; upTo: number }> {
  const { rows } = await sql<{ runs: number; upTo: number | null }>`
    select count(schedule_id) as runs, max(seq) as "upTo" from durably_runs where seq > ${seen}`.execute(db);
  return { runs: rows[0]?.runs ?? 0, upTo: rows[0]?.upTo ?? seen };
}

async function sizesOf({ db }: Durably): Promise<{ pages: number; heapMb: number; kept: number }> {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { rows: pages } = await sql<{ page_count: number }>`pragma page_count`.execute(db);
  const { rows: kept } = await sql<{ runs: number }>`select count(*) as runs from durably_runs`.execute(db);
  const heapMb = process.memoryUsage().heapUsed / 1024 / 1024;
  return { pages: pages[0]?.page_count ?? Number.NaN, heapMb, kept: kept[0]?.runs ?? Number.NaN };
}

function judge(
  days: readonly { readonly pages: number; readonly heapMb: number; readonly kept: number }[],
  violations: readonly string[],
  figures: Outcome['figures'],
): Outcome {
  const settled = days[SETTLED_DAY - 1];
  const last = days.at(-1);
  if (settled === undefined || last === undefined) return { violations, figures };
  const found = [...violations];
  if (last.pages > settled.pages * MAX_GROWTH) {
    found.push(
      `the file has ${last.pages} pages after the week, and had ${settled.pages} on day ${SETTLED_DAY}`,
    );
  }
  if (last.heapMb > settled.heapMb + MAX_HEAP_GROWTH_MB) {
    found.push(
      `${last.heapMb} MB are in use after the week, and ${settled.heapMb} were on day ${SETTLED_DAY}`,
    );
  }
  const sizes = days.flatMap(({ pages, heapMb }, i) => [
    [`pages ${i + 1}`, pages] as const,
    [`MB ${i + 1}`, heapMb] as const,
  ]);
  return { violations: found, figures: { ...figures, kept: last.kept, ...Object.fromEntries(sizes) } };
}
