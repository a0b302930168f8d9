import Database from 'libsql';
import { makeWalFile } from '../contenders/fresh.ts';
import { type ContenderName, loadContender } from '../contenders/index.ts';
import type { SeededState } from '../protocol.ts';

/** Fills a contender's tables with completed or waiting runs, in the form that the contender itself stores them. */
export async function seed({
  contender,
  file,
  runs,
  state,
}: {
  contender: ContenderName;
  file: string;
  runs: number;
  state: SeededState;
}) {
  const statements = (state === 'waiting' ? waitingSeeds : seeds)[contender];
  if (statements === undefined) throw new Error('nothing known about its tables');
  makeWalFile(file);
  const engine = await (await loadContender(contender)).open({ file });
  await engine.close();
  const database = new Database(file);
  database.exec('pragma synchronous = off');
  database.exec('begin');
  for (const sql of statements) database.exec(sql.replaceAll('$runs', String(runs)));
  database.exec('commit');
  // Moves everything into the main file, so that copying that file is enough.
  database.exec('pragma wal_checkpoint(truncate)');
  database.close();
}

const NUMBERS = 'with recursive n (i) as (select 1 union all select i + 1 from n where i < $runs)';
const NOW_ISO = `strftime('%Y-%m-%dT%H:%M:%fZ', 'now')`;
const NOW_MS = `cast(unixepoch('subsec') * 1000 as integer)`;

const durably = [
  `insert into durably_runs (id, job_name, status, attempt, append_count, started_at, completed_at, payload)
   ${NUMBERS} select printf('run_%026d', i), 'empty', 'completed', 1, 1, ${NOW_MS}, ${NOW_MS}, '{"n":1}' from n`,
  // The insert's trigger has already written run:trigger.
  `insert into durably_journal (run_id, job_name, type, attempt)
   ${NUMBERS} select printf('run_%026d', i), 'empty', 'run:start', 1 from n`,
  `insert into durably_journal (run_id, job_name, type, attempt)
   ${NUMBERS} select printf('run_%026d', i), 'empty', 'run:complete', 1 from n`,
];

const seeds: Partial<Record<ContenderName, readonly string[]>> = {
  durably,
  'durably-service': durably,
  coji: [
    `insert into durably_runs (id, job_name, input, status, lease_generation, started_at, completed_at, created_at, updated_at)
     ${NUMBERS} select printf('%026d', i), 'empty', '{"n":1}', 'completed', 1, ${NOW_ISO}, ${NOW_ISO},
       strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 day', (i / 1000.0) || ' seconds'), ${NOW_ISO} from n`,
  ],
  openworkflow: [
    `insert into workflow_runs (namespace_id, id, workflow_name, status, config, input, attempts, started_at,
       finished_at, created_at, updated_at)
     ${NUMBERS} select 'default', printf('%036d', i), 'empty', 'completed', '{}', '{"n":1}', 1, ${NOW_ISO}, ${NOW_ISO},
       strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 day', (i / 1000.0) || ' seconds'), ${NOW_ISO} from n`,
  ],
  plainjob: [
    `insert into plainjob_jobs (type, data, status, next_run_at, created_at)
     ${NUMBERS} select 'empty', '{"n":1}', 2, ${NOW_MS}, ${NOW_MS} from n`,
  ],
  floor: [
    `insert into runs (job, status, input, output)
     ${NUMBERS} select 'empty', 'completed', '{"n":1}', 'null' from n`,
  ],
};

/** Until a time that no benchmark will see. */
const waiting = [
  `insert into durably_runs (id, job_name, status, due_at, waits, payload)
   ${NUMBERS} select printf('run_%026d', i), 'empty', 'waiting', 4102444800000 + i,
     '[{"kind":"delay","stepName":null,"until":"2100-01-01T00:00:00.000Z"}]', '{"n":1}' from n`,
];

const waitingSeeds: typeof seeds = { durably: waiting, 'durably-service': waiting };
