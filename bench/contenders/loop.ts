import { setTimeout as pause } from 'node:timers/promises';
import {
  type Client,
  createClient,
  type InStatement,
  LibsqlError,
  type ResultSet,
  type Row,
} from '@libsql/client';
import { type Contender, type Engine, INPUT, type Job, STEPS, stepResult } from './contender.ts';
import { StatementCounter } from './counting.ts';

const TABLES = [
  `create table if not exists runs (
     id integer primary key, job text not null, status text not null default 'pending',
     input text not null, output text, claim integer, renewed_at integer)`,
  `create index if not exists pending_runs on runs (id) where status = 'pending'`,
  `create index if not exists claimed_runs on runs (claim) where status = 'running'`,
  `create table if not exists steps (
     run_id integer not null, name text not null, output text, primary key (run_id, name)) without rowid`,
];

const ADD = `insert into runs (job, input) select value->>'job', value->>'input' from json_each(?)`;
const RENEW = `update runs set renewed_at = unixepoch() where id in (select value from json_each(?))`;
const STORE_RESULTS = `insert into steps (run_id, name, output)
  select value->>'run', value->>'name', value->>'output' from json_each(?)`;
const END = `update runs set status = 'completed', output = 'null' where id in (select value from json_each(?))`;
const CLAIM = `update runs set status = 'running', claim = ?
  where id in (select id from runs where status = 'pending' order by id limit ?) returning id, job`;
const READ = `select run_id, name from steps
  where run_id in (select id from runs where claim = ? and status = 'running')`;

/** What waits for the next batch. */
interface Waiting<T> {
  readonly value: T;
  resolve(): void;
}

interface Run {
  readonly id: number;
  readonly job: Job;
  /** The names of the steps that are stored. */
  readonly stored: ReadonlySet<string>;
}

/**
 * The least that a worker on a server does: one loop with one batch under way, which renews, stores results and
 * ends, claims, and reads what the claimed runs have. It has no journal, no fence and no retries.
 */
class Loop {
  readonly #client: Client;
  readonly #counter: StatementCounter;
  readonly #slots: number;
  readonly #triggers: Waiting<Job>[] = [];
  readonly #results: Waiting<{ run: number; name: string; output: string }>[] = [];
  readonly #ends: Waiting<number>[] = [];
  readonly #running = new Set<number>();
  #state: 'idle' | 'leaving' | 'away' = 'idle';
  #underWay: Promise<unknown> = Promise.resolve();
  #claims = 0;
  #mayHaveMore = true;
  isStarted = false;
  onCompleted: () => void = () => undefined;

  constructor(client: Client, { slots, counter }: { slots: number; counter: StatementCounter }) {
    this.#client = client;
    this.#slots = slots;
    this.#counter = counter;
  }

  start(): void {
    this.isStarted = true;
    this.#leaveSoon();
  }

  trigger(job: Job): Promise<void> {
    this.#mayHaveMore = true;
    return this.#wait(this.#triggers, job);
  }

  #wait<T>(queue: Waiting<T>[], value: T): Promise<void> {
    return new Promise((resolve) => {
      queue.push({ value, resolve });
      this.#leaveSoon();
    });
  }

  get #canClaim(): boolean {
    return this.isStarted && this.#mayHaveMore && this.#running.size < this.#slots;
  }

  #leaveSoon(): void {
    const waiting = this.#triggers.length + this.#results.length + this.#ends.length;
    if (this.#state !== 'idle' || (waiting === 0 && !this.#canClaim)) return;
    this.#state = 'leaving';
    setImmediate(() => {
      this.#state = 'away';
      this.#underWay = this.#send().then(
        () => {
          this.#state = 'idle';
          this.#leaveSoon();
        },
        // Ends the process, so that the results name the error.
        (error: unknown) => {
          setImmediate(() => {
            throw error;
          });
        },
      );
    });
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.isStarted = false;
    while (this.#state !== 'idle') await Promise.all([this.#underWay, pause(1)]);
  }

  async #send(): Promise<void> {
    const triggers = this.#triggers.splice(0);
    const results = this.#results.splice(0);
    const ends = this.#ends.splice(0);
    for (const { value } of ends) this.#running.delete(value);
    const claim = ++this.#claims;
    const free = this.#canClaim ? this.#slots - this.#running.size : 0;
    const added = triggers.map(({ value }) => ({ job: value, input: JSON.stringify(INPUT) }));
    const statements: InStatement[] = [
      ...(triggers.length === 0 ? [] : [{ sql: ADD, args: [JSON.stringify(added)] }]),
      { sql: RENEW, args: [JSON.stringify([...this.#running])] },
      { sql: STORE_RESULTS, args: [JSON.stringify(results.map(({ value }) => value))] },
      { sql: END, args: [JSON.stringify(ends.map(({ value }) => value))] },
      { sql: CLAIM, args: [claim, free] },
      { sql: READ, args: [claim] },
    ];
    this.#counter.count += statements.length + 2;
    const answers = await this.#batch(statements);
    const claimed = answers.at(-2)?.rows ?? [];
    this.#mayHaveMore = this.#triggers.length > 0 || claimed.length === free;
    for (const { resolve } of [...triggers, ...results, ...ends]) resolve();
    for (const run of runsOf(claimed, answers.at(-1)?.rows ?? [])) {
      this.#running.add(run.id);
      void this.#execute(run);
    }
    for (const _ of ends) this.onCompleted();
  }

  /** A batch that met a lock was rolled back, so it is sent again. */
  async #batch(statements: InStatement[]): Promise<ResultSet[]> {
    for (;;) {
      try {
        return await this.#client.batch(statements, 'write');
      } catch (error) {
        if (!(error instanceof LibsqlError && error.code.includes('BUSY'))) throw error;
      }
      await pause(20);
    }
  }

  async #execute({ id, job, stored }: Run): Promise<void> {
    for (let i = 0; job === 'fiveSteps' && i < STEPS; i++) {
      const name = `step-${i}`;
      if (stored.has(name)) continue;
      await this.#wait(this.#results, { run: id, name, output: JSON.stringify(stepResult(i)) });
    }
    await this.#wait(this.#ends, id);
  }
}

function runsOf(claimed: readonly Row[], steps: readonly Row[]): Run[] {
  return claimed.map(({ id, job }) => ({
    id: Number(id),
    job: job === 'empty' ? 'empty' : 'fiveSteps',
    stored: new Set(steps.filter((step) => step.run_id === id).map(({ name }) => String(name))),
  }));
}

async function fetchUncompressed(request: Request): Promise<Response> {
  request.headers.set('accept-encoding', 'identity');
  return await fetch(request);
}

export const loop: Contender = {
  synchronous: 'FULL',
  completedRuns: `select count(*) from runs where status = 'completed'`,
  completedSteps: 'select count(*) from steps',
  allRuns: 'select count(*) from runs',
  open: async ({ file, url = `file:${file}`, authToken, concurrency = 1 }): Promise<Engine> => {
    const client = createClient({ url, fetch: fetchUncompressed, ...(authToken && { authToken }) });
    await client.batch(TABLES, 'write');
    const counter = new StatementCounter();
    const own = new Loop(client, { slots: concurrency, counter });
    const engine: Engine = {
      trigger: (job) => own.trigger(job),
      triggerMany: (job, count) => Promise.all(Array.from({ length: count }, () => own.trigger(job))),
      onCompleted: () => undefined,
      start: async () => own.start(),
      stop: () => own.stop(),
      statements: () => counter.count,
      pragma: async (pragma) => {
        const { rows } = await client.execute(`pragma ${pragma}`);
        return String(Object.values(rows[0] ?? {})[0]);
      },
      close: async () => client.close(),
    };
    own.onCompleted = () => engine.onCompleted();
    return engine;
  },
};
