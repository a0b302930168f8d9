import type { NewRun } from '../../../core/triggers/new-run.ts';
import type { WebhookSubscriptions } from '../../../core/webhooks/webhooks.ts';
import type { WriteLane } from '../../lane.ts';
import type { Sql, WriteKind } from '../../writes.ts';
import type { Connection } from '../connection/connection.ts';
import { isInLine } from '../statements/claims/limit-keys.ts';
import { isFound } from '../statements/triggering/enqueue-parameters.ts';
import { LAST_OF_LIMITS, plain } from './found-schema.ts';
import { optionalParts } from './migrations.generated.ts';

const HAS_LIMITS = `
select 1 from sqlite_master
where name = '${LAST_OF_LIMITS}' and exists (select 1 from durably_schema_versions)`;

type Part = keyof typeof optionalParts;

const SUBSCRIBE = `
insert into durably_webhooks (id, endpoints) values (1, ?)
on conflict (id) do update set endpoints = excluded.endpoints where endpoints <> excluded.endpoints`;

/** Adds a part. Where the driver has no batches, one statement after another: each may be there already. */
const additions: WriteKind<readonly Sql[], void> = {
  name: 'schema',
  // Before all others, which may need it.
  place: 0,
  sizeOf: () => ({ rows: 1, chars: 0 }),
  compile: (members) => ({
    // Callers who need the same part at once add it together.
    statements: [...new Map(members.flat().map((each) => [JSON.stringify(each), each])).values()],
    decode: () => members.map(() => undefined),
  }),
};

/**
 * The parts of the schema that are added when they are needed first (`migrations/sqlite/optional`), because every
 * statement would be slower with them.
 */
export class OptionalSchema {
  readonly #lane: WriteLane;
  #hasLimits = false;
  #hasWebhooks = false;
  readonly #added = new Set<Part>();

  constructor(lane: WriteLane) {
    this.#lane = lane;
  }

  /** Whether some process on this database has used limits, as far as this one knows. */
  get hasLimits(): boolean {
    return this.#hasLimits;
  }

  /** Looks whether another process has added it since. @throws {DatabaseUnavailableError} */
  async noticeLimits(connection: Pick<Connection, 'execute'>): Promise<void> {
    if (this.#hasLimits) return;
    const rows = await connection.execute({ sql: HAS_LIMITS, parameters: [] });
    if (rows.length > 0) this.noteLimits();
  }

  noteLimits(): void {
    this.#hasLimits = true;
  }

  noteWebhooks(): void {
    this.#hasWebhooks = true;
  }

  /** Stores who hears of the ends of runs from now on. If nobody does, nothing is added. @throws {DatabaseUnavailableError} */
  async subscribe({ endpoints, ofRuns }: WebhookSubscriptions): Promise<void> {
    const isNeeded = endpoints.length > 0 || ofRuns;
    if (!isNeeded && !this.#hasWebhooks) return;
    const part = this.#hasWebhooks ? [] : optionalParts.webhooks.map(plain);
    const stored = JSON.stringify(
      endpoints.map(({ id, host, events, jobs }) => ({ id, host, events, jobs })),
    );
    await this.#lane.submit(additions, [...part, { sql: SUBSCRIBE, parameters: [stored] }]);
    this.noteWebhooks();
  }

  /** Adds what limits need, unless it is there. @throws {DatabaseUnavailableError} */
  async addLimits(deadlineMs?: number): Promise<void> {
    if (this.#hasLimits) return;
    await this.#add('limits', deadlineMs);
    this.noteLimits();
  }

  /** Adds what coalesced and debounced triggers need. @throws {DatabaseUnavailableError} */
  async addCoalescing(deadlineMs: number): Promise<void> {
    await this.#add('coalescing', deadlineMs);
  }

  /** The statements that add what a run needs and may be missing. Each may be executed again. */
  missingFor(run: NewRun): readonly string[] {
    return [
      ...(isInLine(run) && !this.#hasLimits ? optionalParts.limits : []),
      ...(isFound(run) && !this.#added.has('coalescing') ? optionalParts.coalescing : []),
    ];
  }

  /** Each caller has a write of its own, because each has its own deadline. */
  async #add(part: Part, deadlineMs: number | undefined): Promise<void> {
    if (this.#added.has(part)) return;
    await this.#lane.submit(additions, optionalParts[part].map(plain), deadlineMs);
    this.#added.add(part);
  }
}
