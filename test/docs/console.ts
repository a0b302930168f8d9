import { setTimeout } from 'node:timers/promises';
import { expect } from 'vitest';
import { curl, wordsOfCurl } from './curl.ts';
import type { Block } from './markdown.ts';

/** Matches any lines, or the rest of the output. */
const ELISION = '…';
const PATIENCE_MS = 10_000;
const TRY_AGAIN_AFTER_MS = 50;

interface Exchange {
  readonly command: string;
  /** The output that the documentation shows. */
  readonly shown: readonly string[];
}

/** The `$ command` lines of a block, each with the output below it. */
export function exchangesOf({ code }: Block): readonly Exchange[] {
  const exchanges: { command: string; shown: string[] }[] = [];
  for (const line of code.split('\n')) {
    if (line.startsWith('$ ')) exchanges.push({ command: line.slice(2), shown: [] });
    else exchanges.at(-1)?.shown.push(line);
  }
  return exchanges.map(({ command, shown }) => ({ command, shown: withoutLastBlanks(shown) }));
}

/**
 * Runs the commands of the documentation in order against a service of the test, as a reader would. Ids,
 * tickets and journal positions from the documentation are replaced by those in the real answers so far.
 */
export class Console {
  readonly #env: Readonly<Record<string, string>>;
  readonly #address: string;
  readonly #assignments: string[] = [];
  readonly #known = new Map<string, string>();

  constructor({ folder, url }: { readonly folder: string; readonly url: string }) {
    this.#env = { PATH: process.env.PATH ?? '', HOME: folder };
    this.#address = new URL(url).host;
  }

  async run({ command, shown }: Exchange): Promise<void> {
    if (/^\w+=\S+$/.test(command) || /^\w+=\$\(.*\)$/.test(command)) {
      this.#assignments.push(command);
      return;
    }
    const script = [...this.#assignments, this.#translate(command)].join('\n');
    const lines = command.includes(' -i ') ? shown.flatMap((line) => [line, ELISION]) : shown;
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const output = await this.#outputOf(script, lines);
      const pairs = matched(lines, output);
      if (pairs !== undefined) return this.#learn(pairs);
      // The expected event may not have happened yet. A reader would be slower.
      if (command.includes('-X POST') || performance.now() > deadline) {
        expect(output.join('\n').trimEnd(), command).toBe(lines.join('\n'));
      }
      await setTimeout(TRY_AGAIN_AFTER_MS);
    }
  }

  #translate(command: string): string {
    let text = command.replaceAll('localhost:3000', this.#address);
    for (const [shown, real] of this.#known) {
      if (/^\d+$/.test(shown)) {
        text = text.replace(new RegExp(`(Last-Event-ID: |lastEventId=)${shown}\\b`), `$1${real}`);
      } else {
        text = text.replaceAll(shown, real);
      }
    }
    return text;
  }

  #learn(pairs: readonly (readonly [shown: string, real: string])[]): void {
    for (const [shown, real] of pairs) {
      for (const pattern of [/run_[0-9A-Z]{26}/, /(?<=^id: )\d+/, /(?<="ticket":")[^"]+/]) {
        const [from] = pattern.exec(shown) ?? [];
        const [to] = pattern.exec(real) ?? [];
        if (from !== undefined && to !== undefined) this.#known.set(from, to);
      }
    }
  }

  /** Reads to the end of the answer. Reads an endless stream until everything shown has arrived. */
  async #outputOf(script: string, shown: readonly string[]): Promise<readonly string[]> {
    const isEnough = (output: string) =>
      shown.at(-1) === ELISION && matched(shown, output.split('\n')) !== undefined;
    const words = await wordsOfCurl(script, this.#env);
    const output = await curl(words, { isEnough, patienceMs: PATIENCE_MS });
    return output.split('\n');
  }
}

function withoutLastBlanks(lines: readonly string[]): readonly string[] {
  const last = lines.findLastIndex((line) => line.trim() !== '');
  return lines.slice(0, last + 1);
}

/** Matches the shown lines with the real ones. Undefined if they differ. */
function matched(
  shown: readonly string[],
  real: readonly string[],
): readonly (readonly [string, string])[] | undefined {
  const [first, ...others] = shown;
  if (first === undefined) return real.every((line) => line.trim() === '') ? [] : undefined;
  if (first === ELISION) {
    if (others.length === 0) return [];
    for (let skipped = 0; skipped <= real.length; skipped++) {
      const rest = matched(others, real.slice(skipped));
      if (rest !== undefined) return rest;
    }
    return undefined;
  }
  const [line, ...rest] = real;
  if (line === undefined || shapeOf(first) !== shapeOf(line)) return undefined;
  const pairs = matched(others, rest);
  return pairs && [[first, line], ...pairs];
}

/** A line without the parts that differ between runs. */
function shapeOf(line: string): string {
  return line
    .trimEnd()
    .replace(/run_[0-9A-Z]{26}/g, '<run>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replace(/"ticket":"[^"]+"/g, '"ticket":<ticket>')
    .replace(/"(sequence|duration)":\d+/g, '"$1":<number>')
    .replace(/^id: \d+$/, 'id: <number>');
}
