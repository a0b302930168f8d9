import type { WriteLane } from '../../lane.ts';
import type { WriteKind } from '../../writes.ts';
import type { Connection } from '../connection/connection.ts';
import { optionalParts } from './migrations.generated.ts';

const HAS_LIMITS = `
select 1 from sqlite_master
where name = 'durably_lines' and exists (select 1 from durably_schema_versions)`;

/** Adds a part. Where the driver has no batches, one statement after another: each may be there already. */
const additions: WriteKind<readonly string[], void> = {
  name: 'schema',
  // Before all others, which may need it.
  place: 0,
  sizeOf: () => ({ rows: 1, chars: 0 }),
  compile: (members) => ({
    statements: members.flat().map((sql) => ({ sql, parameters: [] })),
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
  #adding: Promise<void> | undefined;

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

  /** Adds what limits need, unless it is there. @throws {DatabaseUnavailableError} */
  async addLimits(): Promise<void> {
    if (this.#hasLimits) return;
    this.#adding ??= this.#lane
      .submit(additions, optionalParts.limits)
      .then(() => this.noteLimits())
      .finally(() => {
        this.#adding = undefined;
      });
    await this.#adding;
  }
}
