import { decodeJson } from './json.ts';
import { isRedacted, SHOWN_REDACTED } from './redacted.ts';
import { isSealed, UNREADABLE } from './sealed.ts';

const SHOWN_SEALED = JSON.stringify(UNREADABLE);

/**
 * JSON as the database holds it. A value that is only passed on is neither parsed nor written again,
 * because 16 MiB of JSON would take many times that in memory.
 */
export class JsonText {
  /** As callers see it. */
  readonly text: string;
  /** The stored text if it is sealed: `text` only says so. */
  readonly sealed: string | undefined;

  /** @param shownSealed what callers see in place of a sealed text */
  constructor(text: string, shownSealed: string = SHOWN_SEALED) {
    const hidden = isSealed(text);
    this.text = hidden ? shownSealed : isRedacted(text) ? SHOWN_REDACTED : text;
    this.sealed = hidden ? text : undefined;
  }

  /** Null for null, which means that there is no value. */
  static of(text: string | null): JsonText | null {
    return text === null ? null : new JsonText(text);
  }

  /** The detail of an error, which is null if it can't be read. */
  static ofDetail(text: string | null): JsonText | null {
    return text === null ? null : new JsonText(isRedacted(text) ? 'null' : text, 'null');
  }

  parse(): unknown {
    return decodeJson(this.text);
  }

  /** Returns a mark, which {@link fill} replaces by the text. */
  toJSON(): string {
    return MARK;
  }
}

/** Stored text contains no NUL, so it cannot contain the mark. */
const MARK = '\0text';
const WRITTEN_MARK = JSON.stringify(MARK);

/** JSON text in pieces, to be read once. No piece is much larger than the largest {@link JsonText} in it. */
export type JsonPieces = AsyncIterable<string>;

/** An object whose members may be JSON text. */
export type JsonRecord = Readonly<Record<string, unknown>>;

/** A text of this length becomes a piece of its own, because copying it into a longer one would cost more. */
const LARGE_CHARS = 64 * 1024;

/** The text of an object. Large members become pieces of their own. */
function writeRecord(record: JsonRecord): Generator<string> {
  return fill(JSON.stringify(record).split(WRITTEN_MARK), [record]);
}

/**
 * The elements of an array, after an opening bracket or a comma. Writing them one by one would take
 * twice as long.
 */
function writeElements(records: readonly JsonRecord[], opening: '[' | ','): Generator<string> {
  return fill(`${opening}${JSON.stringify(records).slice(1, -1)}`.split(WRITTEN_MARK), records);
}

/**
 * Puts each text in the place of its mark. The object is written once and split at the marks:
 * writing member by member would take ten times as long.
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

/** The JSON texts among the members, in the order in which they are written. */
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

/** The text of an object. It is one piece unless a member is large. */
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

/** The text of an array whose elements come in portions. It is one piece if it is short. */
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
