import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Api } from './api.ts';
import { Ledger } from './ledger.ts';
import type { Random } from './random.ts';
import { ServiceProcess, type SpawnOptions, type WorkerError } from './service-process.ts';
import { FileRecords, type StoredRecords } from './stored-records.ts';

export type Settings = Readonly<Record<string, string | number>>;

/** Short intervals, so that half a minute in production takes a second here. */
const SETTINGS: Settings = {
  DURABLY_POLLING_INTERVAL_MS: 100,
  DURABLY_HEARTBEAT_INTERVAL_MS: 200,
  DURABLY_STALE_THRESHOLD_MS: 1500,
  DURABLY_CONCURRENCY: 8,
  DURABLY_SHUTDOWN_MS: 5000,
};

/** Texts that must not appear in any answer or log. */
const FORBIDDEN = /database is locked|cannot commit|SQLITE_BUSY|unhandled 'error'/i;

/** Service processes over one database file, with a ledger of effects and gates to open. */
export class Fleet {
  readonly folder: string;
  readonly ledger: Ledger;
  /** Violations that were noticed during the test. */
  readonly violations: string[] = [];
  /** What is stored in the database. */
  readonly stored: StoredRecords;
  readonly #settings: Settings;
  readonly #processes: ServiceProcess[] = [];
  #started = 0;

  /** @param stored a database that all processes use instead of {@link database}. */
  constructor(settings: Settings = {}, stored?: StoredRecords) {
    this.folder = mkdtempSync(join(tmpdir(), 'durably-chaos-'));
    this.#settings = { ...SETTINGS, ...settings };
    this.stored = stored ?? new FileRecords(this.database);
    this.ledger = new Ledger(join(this.folder, 'ledger.jsonl'));
    mkdirSync(this.gates, { recursive: true });
  }

  /** The file of the database. */
  get database(): string {
    return join(this.folder, 'db', 'durably.db');
  }

  get gates(): string {
    return join(this.folder, 'gates');
  }

  /** Every process that was started, including those that have ended. */
  get all(): readonly ServiceProcess[] {
    return this.#processes;
  }

  /** The processes that are believed to listen. */
  get live(): ServiceProcess[] {
    return this.#processes.filter((service) => service.isAlive && service.url !== undefined);
  }

  get logs(): string {
    return this.#processes.map(({ log }) => log).join('\n');
  }

  /** Starts a process, which may not listen yet. */
  spawn(settings: Settings = {}, options: Omit<SpawnOptions, 'env'> = {}): ServiceProcess {
    const env = {
      CHAOS_LEDGER: this.ledger.path,
      CHAOS_GATES: this.gates,
      ...this.#settings,
      ...this.stored.settings,
      ...settings,
    };
    const texts = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)]));
    const service = new ServiceProcess(`service ${++this.#started}`, { ...options, env: texts });
    this.#processes.push(service);
    return service;
  }

  /** Starts a process and waits until it listens. */
  async start(settings: Settings = {}, options: Omit<SpawnOptions, 'env'> = {}): Promise<ServiceProcess> {
    const service = this.spawn(settings, options);
    await service.listening();
    return service;
  }

  async startMany(count: number, settings: Settings = {}): Promise<ServiceProcess[]> {
    return await Promise.all(Array.from({ length: count }, () => this.start(settings)));
  }

  /** The client of one process, or undefined while it does not listen. */
  api({ url }: ServiceProcess): Api {
    if (url === undefined) throw new Error('the service does not listen');
    return new Api(url, this.#watch);
  }

  /** A random listening process, or undefined if there is none. */
  anyApi(random: Random): Api | undefined {
    const { live } = this;
    return live.length === 0 ? undefined : this.api(random.pick(live));
  }

  /** Opens the gate of a process for its waiting jobs. */
  openGate({ pid }: ServiceProcess): void {
    writeFileSync(join(this.gates, String(pid)), '');
  }

  get workerErrors(): WorkerError[] {
    return this.#processes.flatMap(({ workerErrors }) => workerErrors);
  }

  /** The runs whose owner noticed that it had lost them. */
  get lostLeases(): Set<string | undefined> {
    return new Set(this.workerErrors.filter(({ context }) => context === 'lease').map(({ runId }) => runId));
  }

  /** All violations that were noticed during the test and in the logs. */
  seenViolations({
    expected = [],
    logsMayTell = false,
  }: {
    /** The contexts of worker errors that are expected. */
    expected?: readonly string[];
    /** The log may name the causes of answers. */
    logsMayTell?: boolean;
  } = {}): string[] {
    const tolerated = [...expected, ...this.stored.expectedErrors];
    const errors = this.workerErrors.filter(({ context }) => !tolerated.includes(context));
    const found = logsMayTell || this.stored.expectedErrors.length > 0 ? null : FORBIDDEN.exec(this.logs);
    return [
      ...this.violations,
      ...new Set(errors.map(({ context, error }) => `a worker failed at ${context}: ${error}`)),
      ...(found ? [`a log says "${found[0]}"`] : []),
    ];
  }

  /** Ends every process, whatever its state, and deletes what was stored. */
  async dispose(): Promise<void> {
    await Promise.all(this.#processes.map((service) => service.kill()));
    await this.stored.clear();
    rmSync(this.folder, { recursive: true, force: true });
  }

  readonly #watch = (answer: { status: number; text: string; request: string }) => {
    const { status, text, request } = answer;
    if (status === 500) this.violations.push(`${request} was answered 500: ${text}`);
    if (status >= 400 && FORBIDDEN.test(text)) this.violations.push(`${request} tells internals: ${text}`);
  };
}

/** Runs the work with a fleet and ends the fleet afterwards. If the work fails, prints the logs. */
export async function withFleet<T>(
  settings: Settings,
  work: (fleet: Fleet) => Promise<T>,
  stored?: StoredRecords,
): Promise<T> {
  const fleet = new Fleet(settings, stored);
  try {
    return await work(fleet);
  } catch (error) {
    for (const { name, log } of fleet.all) console.error(`── ${name}\n${log.slice(-4000)}`);
    throw error;
  } finally {
    await fleet.dispose();
  }
}
