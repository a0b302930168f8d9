import { decodeJson } from './json.ts';

/**
 * JSON as the database holds it. What is only passed on is neither parsed nor
 * written anew: a value of 16 MiB would take many times that in memory.
 */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** Null for null, which stands for a value that is not there. */
  static of(text: string | null): JsonText | null {
    return text === null ? null : new JsonText(text);
  }

  parse(): unknown {
    return decodeJson(this.text);
  }

  /** The mark that {@link writeRecord} puts the text in the place of. */
  toJSON(): string {
    return MARK;
  }
}

/** No stored text holds a NUL, so none holds the mark. */
const MARK = '\0text';
const WRITTEN_MARK = JSON.stringify(MARK);

/** JSON text in pieces, to be read once. None is much larger than the largest {@link JsonText} in it. */
export type JsonPieces = AsyncIterable<string>;

/** Members of an object, any of which may be JSON text. */
export type JsonRecord = Readonly<Record<string, unknown>>;

/** A text of this length leaves in a piece of its own rather than being copied into a longer one. */
const LARGE_CHARS = 64 * 1024;

/**
 * The text of an object, large members in pieces of their own. Written at once
 * and split where a text belongs: member by member it would take five times as long.
 */
function* writeRecord(record: JsonRecord): Generator<string> {
  const texts: string[] = [];
  for (const name in record) {
    const value = record[name];
    if (value instanceof JsonText) texts.push(value.text);
  }
  const parts = JSON.stringify(record).split(WRITTEN_MARK);
  if (parts.length !== texts.length + 1) throw new Error('a text in a record holds the mark of another');
  let piece = parts[0] ?? '';
  for (const [i, text] of texts.entries()) {
    if (text.length < LARGE_CHARS) piece += text;
    else {
      yield piece;
      yield text;
      piece = '';
    }
    piece += parts[i + 1] ?? '';
  }
  yield piece;
}

/** The text of an object in one piece. */
export function recordText(record: JsonRecord): string {
  let text = '';
  for (const piece of writeRecord(record)) text += piece;
  return text;
}

/** The text of an object; in one piece unless a member is large. */
export async function* objectPieces(record: JsonRecord): AsyncGenerator<string> {
  let text = '';
  for (const piece of writeRecord(record)) {
    if (text !== '' && text.length + piece.length > LARGE_CHARS) {
      yield text;
      text = '';
    }
    text += piece;
  }
  yield text;
}

/** The text of an array whose elements come in portions; in one piece if it is short. */
export async function* arrayPieces(portions: AsyncIterable<readonly JsonRecord[]>): AsyncGenerator<string> {
  let text = '';
  let separator = '[';
  for await (const portion of portions) {
    for (const record of portion) {
      text += separator;
      separator = ',';
      for (const piece of writeRecord(record)) {
        if (text.length + piece.length > LARGE_CHARS) {
          yield text;
          text = '';
        }
        text += piece;
      }
    }
  }
  yield separator === '[' ? '[]' : `${text}]`;
}
