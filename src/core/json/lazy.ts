import { decodeJson } from './json.ts';

/** To parse a shorter text takes less than to do it later. */
const LONG_CHARS = 2_048;

class Unparsed {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/**
 * Makes a record of JSON text. If that is long, the members that hold it are parsed when one of the record's readers reads them,
 * once for all.
 *
 * @param read makes the record. It gets {@link decodeJson}, or what stands for a value until it is read.
 */
export function readLazily<T extends object>(
  text: string | null,
  read: (json: (text: string | null) => unknown) => T,
): T {
  if (text === null || text.length < LONG_CHARS) return read(decodeJson);
  const record = read((long) => (long === null ? undefined : new Unparsed(long)));
  for (const [name, value] of Object.entries(record)) {
    if (value instanceof Unparsed) parseWhenRead(record, { name, text: value.text });
  }
  return record;
}

function parseWhenRead(
  record: object,
  { name, text }: { readonly name: string; readonly text: string },
): void {
  const shown = { enumerable: true, configurable: true } as const;
  Object.defineProperty(record, name, {
    ...shown,
    get() {
      const value = decodeJson(text);
      Object.defineProperty(record, name, { ...shown, writable: true, value });
      return value;
    },
  });
}
