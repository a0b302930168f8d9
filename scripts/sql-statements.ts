interface Token {
  readonly kind: 'blank' | 'semicolon' | 'word' | 'other';
  readonly text: string;
}

// SQLite's quoting (https://www.sqlite.org/lang_keywords.html): a doubled quote stands for one quote.
const COMMENT = /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/;
const QUOTED = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]/;
const WORD = /[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*/;
const TOKEN = new RegExp(
  `(?<comment>${COMMENT.source})|(?<quoted>${QUOTED.source})|(?<word>${WORD.source})|(?<space>\\s+)|(?<other>[\\s\\S])`,
  'g',
);

function* tokensOf(sql: string): Generator<Token> {
  for (const match of sql.matchAll(TOKEN)) {
    const [text] = match;
    const groups = match.groups ?? {};
    if (groups.comment !== undefined) yield { kind: 'blank', text: ' ' };
    else if (groups.space !== undefined) yield { kind: 'blank', text };
    else if (groups.word !== undefined) yield { kind: 'word', text };
    else if (groups.quoted !== undefined) yield { kind: 'other', text };
    else if (text === ';') yield { kind: 'semicolon', text };
    else if (/['"`[]/.test(text)) throw new Error(`unterminated ${text} at character ${match.index}`);
    else yield { kind: 'other', text };
  }
}

/**
 * Splits SQL text into statements, without comments and closing semicolons. The body of a trigger stays whole:
 * as in sqlite3_complete() (https://www.sqlite.org/c3ref/complete.html), a CREATE TRIGGER ends only at `; END
 * ;`, so the END of a CASE does not end it.
 *
 * @throws {Error} for an unterminated quote, or a statement without its semicolon.
 */
export function splitStatements(sql: string): string[] {
  const statements: string[] = [];
  let text = '';
  let blank = '';
  let seen: string[] = [];
  for (const token of tokensOf(sql)) {
    if (token.kind === 'blank') {
      blank += token.text;
    } else if (token.kind === 'semicolon' && !isInTrigger(seen)) {
      if (text !== '') statements.push(text);
      text = '';
      blank = '';
      seen = [];
    } else {
      text += text === '' ? token.text : gap(blank) + token.text;
      blank = '';
      seen.push(token.text.toLowerCase());
    }
  }
  if (text !== '') throw new Error(`no semicolon ends the statement that begins "${text.slice(0, 60)}"`);
  return statements;
}

function isInTrigger(seen: readonly string[]): boolean {
  const created = seen[1] === 'temp' || seen[1] === 'temporary' ? seen[2] : seen[1];
  if (seen[0] !== 'create' || created !== 'trigger') return false;
  return !(seen.at(-1) === 'end' && seen.at(-2) === ';');
}

/**
 * Replaces white space and the comments in it with one space. Lines and indents would take half a kilobyte of the Worker's
 * compressed bundle.
 */
function gap(blank: string): string {
  return blank === '' ? '' : ' ';
}
