import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { CsvError, type Info, parse } from 'csv-parse';

const SLICE_BYTES = 64 * 1024;
/** The longest row. An unclosed quote fails after this many bytes. */
const MAX_ROW_BYTES = 256 * 1024;

/** A row's fields by the names in the header, or the reason why it has none. */
export type CsvRow = { readonly line: number } & (
  | { readonly kind: 'fields'; readonly fields: Readonly<Record<string, string>> }
  | { readonly kind: 'misshapen'; readonly reason: string }
);

/**
 * Reads the rows of a CSV text (RFC 4180, also with `\n` and a byte order mark), without the header and empty
 * lines. `line` is the line where a row ends, counted from 1.
 *
 * @throws {Error} that names the line, if the text is not CSV or lacks a column.
 */
export async function* readRows(text: Buffer, columns: readonly string[]): AsyncGenerator<CsvRow> {
  const parser = parse({
    bom: true,
    info: true,
    max_record_size: MAX_ROW_BYTES,
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    skip_empty_lines: true,
  });
  // The loop below receives the errors.
  pipeline(slices(text), parser, () => undefined);
  let header: readonly string[] | undefined;
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: Info }>) {
      if (header === undefined) header = readHeader(record, columns);
      else yield toRow(header, record, info.lines);
    }
  } catch (error) {
    // The parser's own message may quote the text.
    if (!(error instanceof CsvError)) throw error;
    throw new Error(`not well-formed CSV at line ${error.lines} (${error.code})`);
  }
  if (header === undefined) throw new Error('the CSV is empty: it needs a header line');
}

/** Lets timers and I/O run between slices, so that a large text does not delay heartbeats. */
async function* slices(text: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < text.length; at += SLICE_BYTES) {
    yield text.subarray(at, at + SLICE_BYTES);
    await setImmediate();
  }
}

function readHeader(record: readonly string[], columns: readonly string[]): string[] {
  const header = record.map((name) => name.trim().toLowerCase());
  const missing = columns.filter((name) => !header.includes(name));
  if (missing.length > 0) throw new Error(`the header lacks ${missing.join(', ')}`);
  const doubled = columns.filter((name) => header.indexOf(name) !== header.lastIndexOf(name));
  if (doubled.length > 0) throw new Error(`the header has more than one ${doubled.join(', ')}`);
  return header;
}

function toRow(header: readonly string[], record: readonly string[], line: number): CsvRow {
  if (record.length !== header.length) {
    return { line, kind: 'misshapen', reason: `${record.length} fields instead of ${header.length}` };
  }
  return {
    line,
    kind: 'fields',
    fields: Object.fromEntries(header.map((name, i) => [name, record[i] ?? ''])),
  };
}

export interface Inspection {
  readonly sha256: string;
  readonly bytes: number;
  readonly rows: number;
}

/** Reads the whole text once. @throws {Error} as {@link readRows} does. */
export async function inspect(text: Buffer, columns: readonly string[]): Promise<Inspection> {
  let rows = 0;
  for await (const _ of readRows(text, columns)) rows += 1;
  return { sha256: sha256(text), bytes: text.length, rows };
}

/** The SHA-256 of the bytes, in hex. */
export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Reads rows in order and skips those before the requested range. */
export class RowReader {
  readonly #rows: AsyncGenerator<CsvRow>;
  #position = 0;

  constructor(text: Buffer, columns: readonly string[]) {
    this.#rows = readRows(text, columns);
  }

  /** Rows `first` to `last`, counted from 1, both included. Returns fewer at the end. */
  async take(first: number, last: number): Promise<CsvRow[]> {
    const taken: CsvRow[] = [];
    while (this.#position < last) {
      const next = await this.#rows.next();
      if (next.done === true) break;
      this.#position += 1;
      if (this.#position >= first) taken.push(next.value);
    }
    return taken;
  }

  async close(): Promise<void> {
    await this.#rows.return(undefined);
  }
}
