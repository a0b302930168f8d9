import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** The options of curl that change nothing here. */
const IGNORED = new Set(['-N', '--silent', '--show-error', '--fail', '--retry-connrefused']);
/** Prints each word and a NUL, so that words may contain anything else. */
const PRINT_WORDS = `curl() { printf '%s\\0' "$@"; }`;

/** The words that a shell passes to `curl` when it runs a script that calls it once. */
export async function wordsOfCurl(script: string, env: Readonly<Record<string, string>>): Promise<string[]> {
  const { stdout, stderr } = await promisify(execFile)('sh', ['-c', `${PRINT_WORDS}\n${script}`], { env });
  if (stderr !== '') throw new Error(`${script}\n${stderr}`);
  return stdout.split('\0').slice(0, -1);
}

interface CurlRequest {
  readonly url: string;
  readonly init: { readonly method: string; readonly headers: [string, string][]; readonly body?: string };
  readonly showsHead: boolean;
}

/** @throws for an option that the documentation's examples don't use. */
function requestOf(words: readonly string[]): CurlRequest {
  let url = '';
  let method = 'GET';
  let body: string | undefined;
  let showsHead = false;
  const headers: [string, string][] = [];
  const rest = words.values();
  const next = (): string => rest.next().value ?? '';
  for (const word of rest) {
    if (word === '-X') method = next();
    else if (word === '--retry') next();
    else if (word === '-d') body = next();
    else if (word === '-i') showsHead = true;
    else if (word === '-H') {
      const [name = '', value = ''] = next().split(/: (.*)/s);
      headers.push([name, value]);
    } else if (!IGNORED.has(word)) {
      if (word.startsWith('-')) throw new Error(`this stand-in for curl does not know ${word}`);
      url = word;
    }
  }
  return { url, showsHead, init: { method, headers, ...(body !== undefined && { body }) } };
}

/**
 * What `curl` prints, which may not be installed. It runs in this process, because starting one takes longer than the
 * request. The answer is read to its end, or until what was printed is enough, or for as long as `patienceMs`.
 */
export async function curl(
  words: readonly string[],
  { isEnough, patienceMs }: { isEnough: (output: string) => boolean; patienceMs: number },
): Promise<string> {
  const { url, init, showsHead } = requestOf(words);
  const signal = AbortSignal.timeout(patienceMs);
  const response = await fetch(url, { ...init, signal });
  let output = '';
  if (showsHead) {
    const lines = [...response.headers].map(([name, value]) => `${name}: ${value}\n`);
    output += `HTTP/1.1 ${response.status} ${response.statusText}\n${lines.join('')}\n`;
  }
  const decoder = new TextDecoder();
  try {
    for await (const bytes of response.body ?? []) {
      output += decoder.decode(bytes, { stream: true });
      if (isEnough(output)) break;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return output;
}
