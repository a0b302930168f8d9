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
}

/** JSON text in pieces, to be read once. None is much larger than the largest {@link JsonText} in it. */
export type JsonPieces = AsyncIterable<string>;

/** Members of an object, any of which may be JSON text. */
export type JsonRecord = Readonly<Record<string, unknown>>;

/** A text of this length leaves in a piece of its own rather than being copied into a longer one. */
const LARGE_CHARS = 64 * 1024;

/** The text of an object, large members in pieces of their own. */
function* writeRecord(record: JsonRecord): Generator<string> {
  let text = '{';
  let plain: Record<string, unknown> = {};
  let isEmpty = true;
  const write = (members: string) => {
    if (members === '') return;
    text += isEmpty ? members : `,${members}`;
    isEmpty = false;
  };
  for (const [name, value] of Object.entries(record)) {
    if (!(value instanceof JsonText)) {
      plain[name] = value;
      continue;
    }
    write(membersOf(plain));
    plain = {};
    write(`${JSON.stringify(name)}:`);
    if (value.text.length < LARGE_CHARS) {
      text += value.text;
      continue;
    }
    yield text;
    yield value.text;
    text = '';
  }
  write(membersOf(plain));
  yield `${text}}`;
}

/** What stands between the braces. */
function membersOf(plain: JsonRecord): string {
  return JSON.stringify(plain).slice(1, -1);
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
