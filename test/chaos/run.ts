/**
 * The long form of the chaos tests: `npm run chaos -- --minutes N [--seed S] [--database ADDRESS | --sqld PROGRAM]`. Runs
 * round after round with the next seed, until the time is up or a promise was broken. With an address, all processes use
 * that libSQL server. With the program of libsql-server, each scenario starts servers of its own and gives them trouble.
 * `npm run chaos -- --week 1000000` is a week in fast motion with that many runs, and nothing else.
 */
import { inspect, parseArgs } from 'node:util';
import { GivenDatabase } from '../support/given-database.ts';
import { raceForRuns } from './scenarios/contention.ts';
import { flowOverBadNetwork, flowUnderFire } from './scenarios/flow.ts';
import { killAtRandom } from './scenarios/kill.ts';
import { formatFigures, type Outcome } from './scenarios/outcome.ts';
import { badNetwork } from './scenarios/remote.ts';
import { killOnServer, SERVER_TROUBLES, troubledServer } from './scenarios/server.ts';
import { restlessSubscribers } from './scenarios/subscribers.ts';
import { killAroundCommits } from './scenarios/transactions.ts';
import { weekInFastMotion } from './scenarios/week.ts';
import { chooseSeed, Random } from './support/random.ts';
import { ServerRecords } from './support/stored-records.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string' },
    database: { type: 'string' },
    sqld: { type: 'string' },
    week: { type: 'string' },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error(`--minutes must be a positive number, got ${values.minutes}`);
if (values.seed !== undefined) process.env.CHAOS_SEED = values.seed;

if (values.week !== undefined) {
  const { violations, figures } = await weekInFastMotion({ runs: Number(values.week) });
  console.log(formatFigures(figures));
  for (const each of violations) console.error(`✗ ${each}`);
  process.exit(violations.length > 0 ? 1 : 0);
}

const database = values.database === undefined ? undefined : await GivenDatabase.open(values.database);
const stored = database && new ServerRecords(database);

type Scenarios = Readonly<Record<string, (random: Random) => Promise<Outcome>>>;

const onAnyDatabase: Scenarios = {
  kill: (random) => killAtRandom({ random, runs: 400, kills: 25, stored }),
  contention: (random) => raceForRuns({ random, runs: 40, stored }),
  flow: (random) => flowUnderFire({ random, runs: 120, blows: 25, stored }),
  'flow over a bad network': (random) => flowOverBadNetwork({ random, runs: 80, stored }),
  remote: (random) => badNetwork({ random, runs: 500, stored }),
  subscribers: (random) => restlessSubscribers({ random, runs: 60, stored }),
  // On a file, whatever database is given.
  transactions: (random) => killAroundCommits({ random, kills: 100 }),
};

/** On servers of their own. */
const onTroubledServers = (program: string): Scenarios => ({
  'processes killed': (random) => killOnServer({ program, random, runs: 400, kills: 25 }),
  ...Object.fromEntries(
    SERVER_TROUBLES.map((trouble) => [
      `server ${trouble}`,
      (random: Random) => troubledServer({ random, runs: 400, program, trouble }),
    ]),
  ),
});

const scenarios = values.sqld === undefined ? onAnyDatabase : onTroubledServers(values.sqld);
const givenOptions = ['database', 'sqld'] as const;
const repeated = givenOptions.map((name) => (values[name] ? ` --${name} ${values[name]}` : '')).join('');

/** An error that ended the scenario before its result could be checked. */
const failed = (error: unknown): Outcome => ({ violations: [inspect(error)], figures: {} });

const firstSeed = chooseSeed();
const endMs = performance.now() + minutes * 60_000;
let rounds = 0;
do {
  const seed = firstSeed + rounds++;
  for (const [name, play] of Object.entries(scenarios)) {
    const start = performance.now();
    const { violations, figures, skipped = [] } = await play(new Random(seed)).catch(failed);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(`seed ${seed} · ${name} · ${seconds} s · ${formatFigures(figures)}`);
    if (skipped.length > 0) console.log(`  skipped, for a stand-in only: ${skipped.join(', ')}`);
    if (violations.length > 0) {
      console.error(`\n✗ ${name} violated:\n${violations.map((each) => `  ${each}`).join('\n')}`);
      console.error(`\nagain: npm run chaos -- --minutes 1 --seed ${seed}${repeated}`);
      process.exit(1);
    }
  }
} while (performance.now() < endMs);
console.log(`\n✓ ${rounds} rounds, nothing violated (seeds ${firstSeed} to ${firstSeed + rounds - 1})`);
process.exit(0);
