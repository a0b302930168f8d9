import { checkJournal } from '../checks/journal.ts';
import { checkKeys } from '../checks/keys.ts';
import { checkLedger } from '../checks/ledger.ts';
import type { Answer } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type Fleet, withFleet } from '../support/fleet.ts';
import { groupBy } from '../support/group-by.ts';
import type { Random } from '../support/random.ts';
import { journalByRun, type Records } from '../support/records.ts';
import type { StoredRecords } from '../support/stored-records.ts';
import type { Outcome } from './outcome.ts';

const PROCESSES = 8;
const COMMANDS = ['cancel', 'retry', 'delete'] as const;
type Command = (typeof COMMANDS)[number];

export interface ContentionOptions {
  readonly random: Random;
  /** The number of runs in each kind of race. */
  readonly runs: number;
  /** A database to use instead of a file of the test's own. */
  readonly stored?: StoredRecords | undefined;
}

/** Eight processes send the same commands for the same runs at once. */
export async function raceForRuns(options: ContentionOptions): Promise<Outcome> {
  // Eight processes on few cores are slow. The threshold is long enough that none loses a lease.
  const settings = { DURABLY_STALE_THRESHOLD_MS: 20_000, DURABLY_CONCURRENCY: 4 };
  const play = async (fleet: Fleet) => {
    await fleet.startMany(PROCESSES);
    for (const service of fleet.live) await service.measure();
    const races = new Races(fleet, options);
    await races.overOneRunEach();
    await races.overClaims();
    await races.overAnything();
    const records = await fleet.stored.read();
    const delays = await Promise.all(fleet.live.map((service) => service.measure()));
    return {
      violations: [
        // A worker loses a run that was cancelled and retried, or deleted.
        ...fleet.seenViolations({ expected: ['lease'] }),
        ...races.violations,
        ...checkJournal(records),
        ...checkKeys(records),
        ...checkLedger(records, fleet.ledger.rows()),
      ],
      figures: {
        requests: races.requests,
        'races won': races.won,
        'longest loop delay ms': Math.max(...delays.map(({ maxLoopDelayMs }) => maxLoopDelayMs)),
      },
    };
  };
  return await withFleet(settings, play, options.stored);
}

class Races {
  readonly violations: string[] = [];
  requests = 0;
  won = 0;
  readonly #fleet: Fleet;
  readonly #options: ContentionOptions;

  constructor(fleet: Fleet, options: ContentionOptions) {
    this.#fleet = fleet;
    this.#options = options;
  }

  /** Every process sends the same command. One succeeds, and the others get the error for the state that they found. */
  async overOneRunEach(): Promise<void> {
    const [holder] = this.#fleet.live;
    if (!holder) throw new Error('no process listens');
    // One run holds the key, so that the others stay pending.
    const api = this.#fleet.api(holder);
    const blocked = { jobName: 'gate', input: { standMs: 600_000 }, concurrencyKey: 'held' };
    const blocker = await api.triggered(blocked);
    await eventually('the key to be held', () => this.#fleet.ledger.marks('standing').length === 1);
    await Promise.all(
      Array.from({ length: this.#options.runs }, async (_, i) => {
        const body = { ...blocked, idempotencyKey: `race ${i}` };
        const answers = await this.#atAll((each) => each.trigger(body));
        const triggered = answers.map(
          ({ text }) => JSON.parse(text) as { runId: string; disposition: string },
        );
        const ids = new Set(triggered.map((each) => each.runId));
        const created = triggered.filter(({ disposition }) => disposition === 'created');
        if (ids.size !== 1 || created.length !== 1) {
          this.violations.push(
            `one idempotency key was answered ${answers.map(({ text }) => text).join(', ')}`,
          );
        }
        const { runId } = JSON.parse(answers[0]?.text ?? '{}');
        for (const command of ['cancel', 'retry', 'cancel', 'delete'] as const)
          await this.#race(command, runId);
      }),
    );
    const ended = await api.command('cancel', blocker);
    if (ended.status !== 200) this.violations.push(`the blocker was not cancelled: ${ended.text}`);
  }

  /** All workers try to claim the same runs. */
  async overClaims(): Promise<void> {
    const { random, runs } = this.#options;
    const ids = await Promise.all(
      Array.from({ length: 4 * runs }, async () => {
        const key = random.chance(0.3) ? { concurrencyKey: `key ${random.int(1, 4)}` } : {};
        const api = this.#fleet.anyApi(random);
        return (await api?.triggered({ jobName: 'work', input: { steps: 2 }, ...key })) ?? '';
      }),
    );
    await this.#allOver();
    const records = await this.#fleet.stored.read();
    const byRun = journalByRun(records.journal);
    for (const id of ids) {
      const types = (byRun.get(id) ?? []).map(({ type }) => type).filter((type) => !type.startsWith('step'));
      if (types.join() !== 'run:trigger,run:start,run:complete')
        this.violations.push(`${id} went ${types.join()}`);
    }
  }

  /** Sends random commands for random runs. The journal must show exactly the commands that succeeded. */
  async overAnything(): Promise<void> {
    const { random, runs } = this.#options;
    const input = { steps: 3, maxMs: 10, failing: 0.2 };
    const ids = await Promise.all(
      Array.from(
        { length: runs },
        async () => (await this.#fleet.anyApi(random)?.triggered({ jobName: 'work', input })) ?? '',
      ),
    );
    // A deleted run has no journal. The answers are compared with the remaining runs.
    const deletable = ids.filter((_, i) => i % 2 === 0);
    const done: { id: string; command: Command }[] = [];
    const pester = async (own: Random) => {
      for (let i = 0; i < 2 * runs; i++) {
        const isDeletion = own.chance(0.1);
        const id = own.pick(isDeletion ? deletable : ids);
        const command = isDeletion ? 'delete' : own.pick(['cancel', 'retry'] as const);
        const answer = await this.#fleet.anyApi(own)?.command(command, id);
        this.requests++;
        if (answer?.status === 200) done.push({ id, command });
        else if (answer?.status !== 409 && answer?.status !== 404) this.#complain(`${command} ${id}`, answer);
      }
    };
    await Promise.all(Array.from({ length: PROCESSES }, () => pester(random.fork())));
    await this.#allOver();
    await this.#compare(ids, done);
  }

  /** Every command that was answered as done must be in the journal. */
  async #compare(ids: readonly string[], done: readonly { id: string; command: Command }[]): Promise<void> {
    const records: Records = await this.#fleet.stored.read();
    const byRun = journalByRun(records.journal);
    const doneByRun = groupBy(done, ({ id }) => id);
    const before = this.won;
    for (const id of ids) {
      const types = (byRun.get(id) ?? []).map(({ type }) => type);
      const isDeleted = types.includes('run:delete');
      for (const command of COMMANDS) {
        if (isDeleted && command !== 'delete') continue;
        const told = (doneByRun.get(id) ?? []).filter((each) => each.command === command).length;
        const happened = types.filter((type) => type === `run:${command}`).length;
        this.won += told;
        if (told !== happened)
          this.violations.push(`${command} of ${id} was done ${told} times and told ${happened}`);
      }
    }
    // How many succeed depends on the races. At least one must, or nothing would be compared.
    if (this.won - before < ids.length / 3)
      this.violations.push(`only ${this.won - before} commands were compared`);
  }

  async #race(command: Command, runId: string): Promise<void> {
    const answers = await this.#atAll((api) => api.command(command, runId));
    const refusal = command === 'delete' ? 404 : 409;
    const statuses = answers.map(({ status }) => status).sort((one, other) => one - other);
    this.won++;
    if (statuses.join() !== [200, ...Array(PROCESSES - 1).fill(refusal)].join()) {
      this.violations.push(`${command} of ${runId} was answered ${statuses.join()}`);
    }
  }

  async #atAll(ask: (api: ReturnType<Fleet['api']>) => Promise<Answer>): Promise<Answer[]> {
    this.requests += PROCESSES;
    return await Promise.all(this.#fleet.live.map((service) => ask(this.#fleet.api(service))));
  }

  async #allOver(): Promise<void> {
    await eventually('all runs to end', async () => (await this.#fleet.stored.countOpen()) === 0, {
      everyMs: 50,
      withinMs: this.#fleet.stored.patienceMs,
    });
  }

  #complain(what: string, answer: Answer | undefined): void {
    this.violations.push(`${what} was answered ${answer?.status} ${answer?.text}`);
  }
}
