import type { Command } from 'commander';
import pc from 'picocolors';
import { createDurablyClient, type DurablyClient, ValidationError } from '../client.ts';
import { UsageError } from './exit.ts';

/** Where the service is unless told otherwise. */
const DEFAULT_URL = 'http://127.0.0.1:3000/api/durably';

/** The variables of the environment that the command reads. */
export const VARIABLES = {
  DURABLY_URL: 'The address of the service with its base path',
  DURABLY_API_KEY: 'A key of the service',
} as const;

/** What every command is given. */
export interface Session {
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly client: DurablyClient;
  /** `json` prints one line for each object, and nothing else. */
  readonly format: 'text' | 'json';
  readonly colors: ReturnType<typeof pc.createColors>;
  /** Whether lines that were printed can be replaced. */
  readonly isLive: boolean;
  /** Prints a line. */
  print(line: string): void;
  /** Prints an object as JSON, or as the text. */
  show(value: unknown, text: () => string): void;
}

interface GlobalOptions {
  readonly url?: string;
  readonly apiKey?: string;
  readonly json?: boolean;
}

/** The address that the options or the environment name. */
export function urlOf({ url }: GlobalOptions): string {
  return url ?? (process.env.DURABLY_URL || DEFAULT_URL);
}

/** @throws {UsageError} for an address that is none. */
export function sessionOf(command: Command): Session {
  const options: GlobalOptions = command.optsWithGlobals();
  const url = urlOf(options);
  if (!/^https?:/.test(url) || !URL.canParse(url)) {
    throw new UsageError(`${url} is no address of a service: give one such as ${DEFAULT_URL}`);
  }
  const apiKey = options.apiKey ?? (process.env.DURABLY_API_KEY || undefined);
  const format = options.json === true ? 'json' : 'text';
  const isTerminal = process.stdout.isTTY === true && process.env.TERM !== 'dumb';
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  return {
    url,
    apiKey,
    client: clientOf(url, apiKey),
    format,
    colors: pc.createColors(isTerminal && !process.env.NO_COLOR),
    // Some terminals without a window say that they have no rows.
    isLive: isTerminal && process.stdout.rows > 0 && format === 'text',
    print,
    show: (value, text) => print(format === 'json' ? JSON.stringify(value) : text()),
  };
}

function clientOf(url: string, apiKey: string | undefined): DurablyClient {
  try {
    return createDurablyClient({ url, apiKey });
  } catch (error) {
    throw error instanceof ValidationError ? new UsageError(error.message) : error;
  }
}
