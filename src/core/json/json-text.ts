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

  /** The mark that {@link fill} puts the text in the place of. */
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

/** The text of an object, large members in pieces of their own. */
function writeRecord(record: JsonRecord): Generator<string> {
  return fill(JSON.stringify(record).split(WRITTEN_MARK), [record]);
}

/** The elements of an array likewise, after an opening bracket or a comma. One by one they would take twice as long. */
function writeElements(records: readonly JsonRecord[], opening: '[' | ','): Generator<string> {
  return fill(`${opening}${JSON.stringify(records).slice(1, -1)}`.split(WRITTEN_MARK), records);
}

/**
 * Puts each text between the parts that its mark has left. Written at once and
 * split: member by member it would take ten times as long.
 */
function* fill(parts: readonly string[], records: readonly JsonRecord[]): Generator<string> {
  const texts = textsOf(records);
  if (parts.length !== texts.length + 1) throw new Error('a text in a record holds the mark of another');
  let piece = parts[0] ?? '';
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i] ?? '';
    if (piece.length + text.length >= LARGE_CHARS) {
      yield piece;
      yield text;
      piece = '';
    } else piece += text;
    piece += parts[i + 1] ?? '';
  }
  yield piece;
}

/** In the order in which they are written. */
function textsOf(records: readonly JsonRecord[]): string[] {
  const texts: string[] = [];
  for (const record of records) {
    for (const name in record) {
      const value = record[name];
      if (value instanceof JsonText) texts.push(value.text);
    }
  }
  return texts;
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
  let opening: '[' | ',' = '[';
  for await (const portion of portions) {
    if (portion.length === 0) continue;
    for (const piece of writeElements(portion, opening)) {
      if (text !== '' && text.length + piece.length > LARGE_CHARS) {
        yield text;
        text = '';
      }
      text += piece;
    }
    opening = ',';
  }
  yield opening === '[' ? '[]' : `${text}]`;
}
