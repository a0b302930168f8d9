import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { InvalidArgumentError } from 'commander';
import { errorMessage } from '../core/errors/error-text.ts';
import type { RunStatus } from '../core/run.ts';
import type { Duration } from '../core/time/duration.ts';
import { UsageError } from './exit.ts';
import { STATUSES } from './view/texts.ts';

/** The JSON that an option names: JSON itself, `@file`, or `-` for the standard input. Undefined without the option. */
export async function readJson(option: string, given: string | undefined): Promise<unknown> {
  if (given === undefined) return undefined;
  const json = await readText(option, given);
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new UsageError(`${option} is no JSON: ${errorMessage(error)}`);
  }
}

async function readText(option: string, given: string): Promise<string> {
  if (given === '-') return await text(process.stdin);
  if (!given.startsWith('@')) return given;
  try {
    return readFileSync(given.slice(1), 'utf8');
  } catch (error) {
    throw new UsageError(`${option} names a file that can't be read: ${errorMessage(error)}`);
  }
}

/** Collects `key=value`, which may be given again. */
export function label(given: string, labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, key, value] = /^([^=]+)=([\s\S]*)$/.exec(given) ?? [];
  if (key === undefined || value === undefined) throw new InvalidArgumentError('Give key=value.');
  return { ...labels, [key]: value };
}

export function wholeNumber(given: string): number {
  if (!/^-?\d{1,15}$/.test(given)) throw new InvalidArgumentError('Give a whole number.');
  return Number(given);
}

/** A port as the text of a variable; 0 takes any that is free. */
export function port(given: string): string {
  if (!/^\d{1,5}$/.test(given) || Number(given) > 65_535) {
    throw new InvalidArgumentError('Give a whole number from 0 to 65535.');
  }
  return given;
}

const isDuration = (given: string): given is Extract<Duration, string> =>
  /^\d+(?:\.\d+)?(ms|s|m|h|d)$/.test(given);

/** A length of time: `500` (ms), `30s`, `2h`. */
export function duration(given: string): Duration {
  if (/^\d+$/.test(given)) return Number(given);
  if (isDuration(given)) return given;
  throw new InvalidArgumentError('Give a duration such as 500 (ms), 30s, 5m, 2h or 7d.');
}

/** Collects statuses, which may be given again or split by commas. */
export function status(given: string, statuses: readonly RunStatus[] = []): RunStatus[] {
  const named = given.split(',').map((name) => {
    const known = STATUSES.find((each) => each === name);
    if (known === undefined) throw new InvalidArgumentError(`Give one of ${STATUSES.join(', ')}.`);
    return known;
  });
  return [...statuses, ...named];
}

/** Collects texts, which may be given again. */
export function again(given: string, texts: readonly string[] = []): string[] {
  return [...texts, given];
}
