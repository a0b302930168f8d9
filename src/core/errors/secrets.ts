/**
 * Finds secrets in texts and names. A failed request may repeat a password, and a person who may
 * read a log or a run's error need not be allowed to know it.
 */

const SECRET_PARTS =
  /authorization|cookie|password|passw|passphrase|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|signature|credential|bearer/i;
/** `pass`, `db_pass`, `auth`, but not `passed` or `author`. */
const SECRET_WORDS = /(?:^|[^a-z])(?:pass|auth)(?![a-z])/i;
/** `dbPass`, `proxyAuth`. */
const SECRET_ENDINGS = /[a-z\d](?:Pass|Auth)(?![a-z])/;

/** Whether the name of a field suggests that its value is secret. */
export function isSecretName(name: string): boolean {
  return [SECRET_PARTS, SECRET_WORDS, SECRET_ENDINGS].some((pattern) => pattern.test(name));
}

/** `//user:p@ss@`: up to the last `@` before the path. */
const URL_CREDENTIALS = /\/\/[^\s/?#"]*@/g;
/** `//user:p/ss@`, where a `/` was not escaped; not `//host:80/@scope`. */
const URL_CREDENTIALS_WITH_SLASH = /\/\/[^\s/?#@:"]{1,256}:(?!\d{1,5}(?:[/?#\s"]|$))[^\s"]{0,512}@/g;
const HEADER_CREDENTIALS = /\b(Bearer|Basic)\s+[\w.~+/=-]+/gi;
/** `?token=…`, `&api_key=…`, `password=…`. */
const VALUES =
  /=(?<=(?:token|secret|password|passwd|pwd|pass|api[-_]?key|access[-_]?key|signature|sig|auth|credentials?)=)[^\s&#"'<>]+/gi;

/** `authorization: …`, `"token": "…"`, `webhook-signature: v1,…`: what follows the name of a header or a member. */
const NAMED =
  /(["']?(?<![\w-])[\w-]*(?:authorization|cookie|api[-_]?key|token|secret|password|passwd|signature)["']?\s*:\s*)(?!(?:Bearer|Basic) …)(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;}]+(?:[,;][^\s]+)*)/gi;
/** `Authorization: ApiKey …`, `Cookie: a=1; b=2`: the value of such a header takes the rest of its line. */
const HEADER_LINES =
  /(?<![\w-])((?:(?:proxy-)?authorization|(?:set-)?cookie)\s*:)(?!\s*(?:["']|(?:Bearer|Basic) …))[^\r\n]+/gi;
/** A webhook's secret, a signature, and a token of three parts (JWT), wherever they stand. */
const TYPED = /\bwhsec_[\w+/=-]+|\bv1a?,[A-Za-z\d+/=]{20,}|\beyJ[\w-]{6,2048}\.[\w-]+\.[\w-]*/g;

/** A text without the credentials in it: in URLs, in headers, and as values of parameters. */
export function withoutSecrets(text: string): string {
  return text
    .replace(URL_CREDENTIALS, '//…@')
    .replace(URL_CREDENTIALS_WITH_SLASH, '//…@')
    .replace(HEADER_CREDENTIALS, '$1 …')
    .replace(VALUES, '=…')
    .replace(HEADER_LINES, '$1 …')
    .replace(NAMED, '$1…')
    .replace(TYPED, '…');
}

/**
 * A setting's value without credentials. It leaves out every part that could be a credential, even
 * if the value is malformed.
 */
export function withoutCredentials(url: string): string {
  const at = url.lastIndexOf('@');
  if (at === -1) return withoutQuery(url);
  const hidden = url.slice(0, at);
  const scheme = /^[a-z][a-z\d+.-]*:\/\//i.exec(url)?.[0] ?? '';
  // The `@` may belong to a token in the query.
  return /[?#]/.test(hidden) ? `${scheme}…` : `${scheme}…@${withoutQuery(url.slice(at + 1))}`;
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '?…');
}
