import { AIRPORT_COLUMNS, type Airport, airportSchema } from './airport.ts';
import { AirportsTable } from './airports-table.ts';
import { type CsvRow, type Inspection, inspect, RowReader, sha256 } from './rows.ts';
import { readFileInside } from './source.ts';

/** Rows counted from 1, both ends included. */
export interface RowRange {
  readonly first: number;
  readonly last: number;
}

export interface Rejection {
  readonly line: number;
  readonly reason: string;
}

export interface BatchOutcome {
  readonly imported: number;
  readonly rejections: readonly Rejection[];
}

interface SessionOptions {
  readonly dataDir: string;
  readonly databasePath: string;
  /** Relative to `dataDir`. */
  readonly file: string | undefined;
  /** The CSV text itself, if there is no file. */
  readonly text: string | undefined;
  /** Called when a write has to wait because the imports database is locked. */
  readonly onBusy: () => void;
}

/**
 * The resources of one attempt of an import: the CSV, the position in it, and the target. Each is opened when
 * the first batch needs it, so an attempt that only replays batches opens neither file.
 */
export class ImportSession {
  readonly #options: SessionOptions;
  #csv: Buffer | undefined;
  #reader: RowReader | undefined;
  #table: AirportsTable | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** @throws {Error} if the source can't be read, or is not CSV with the columns of an airport. */
  async inspect(): Promise<Inspection> {
    this.#csv = await this.#load();
    return inspect(this.#csv, AIRPORT_COLUMNS);
  }

  /** @throws {Error} if the source has changed since it was inspected. */
  async importBatch(
    range: RowRange,
    inspected: { sha256: string },
    signal: AbortSignal,
  ): Promise<BatchOutcome> {
    this.#reader ??= await this.#openReader(inspected.sha256);
    const rows = await this.#reader.take(range.first, range.last);
    const { airports, rejections } = sort(rows);
    const { databasePath, onBusy } = this.#options;
    this.#table ??= await AirportsTable.open(databasePath, { signal, onBusy });
    await this.#table.upsert(airports, signal);
    return { imported: airports.length, rejections };
  }

  async close(): Promise<void> {
    this.#table?.close();
    await this.#reader?.close();
  }

  async #openReader(expectedSha256: string): Promise<RowReader> {
    // If the bytes are missing, an earlier attempt inspected the file, and it may have changed since.
    const csv = this.#csv ?? (await this.#load());
    if (sha256(csv) !== expectedSha256) {
      throw new Error(
        `${this.#options.file} has changed since this run began: trigger a new run to import it`,
      );
    }
    return new RowReader(csv, AIRPORT_COLUMNS);
  }

  #load(): Promise<Buffer> | Buffer {
    const { dataDir, file, text } = this.#options;
    return file === undefined ? Buffer.from(text ?? '') : readFileInside(dataDir, file);
  }
}

function sort(rows: readonly CsvRow[]): { airports: Airport[]; rejections: Rejection[] } {
  const airports: Airport[] = [];
  const rejections: Rejection[] = [];
  for (const row of rows) {
    if (row.kind === 'misshapen') {
      rejections.push({ line: row.line, reason: row.reason });
      continue;
    }
    const { success, data, error } = airportSchema.safeParse(row.fields);
    if (success) airports.push(data);
    else {
      const reasons = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
      rejections.push({ line: row.line, reason: reasons.join('; ') });
    }
  }
  return { airports, rejections };
}
