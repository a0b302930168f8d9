/** A line of the log in its parts. No part holds a secret that is known as one. */
export interface LogEntry {
  readonly level: 'info' | 'warn' | 'error';
  /** What happened: a fixed text, or one of the service's own. */
  readonly message: string;
  /** `runId`, `jobName`, `attempt`, `stepName`, `requestId`, `traceId`, `error` and the like, where they are known. */
  readonly fields: LogFields;
}

/** What the service's log writes at least: from nothing to everything. */
export const LEAST_LEVELS = ['silent', 'error', 'warn', 'info'] as const;
export type LeastLevel = (typeof LEAST_LEVELS)[number];

/** The parts of a line besides its level and message, by name. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Receives the log lines of an instance. Each is a single line, ready to print. The console, pino
 * and winston fit.
 */
export interface Logger {
  /** Something that succeeded and may be worth knowing. */
  info(line: string): unknown;
  /** Something that durably recovered from, such as a takeover. */
  warn(line: string): unknown;
  /** Something that failed. */
  error(line: string): unknown;
  /** Receives the same in its parts, in place of the three others. For logs whose lines are JSON. */
  entry?(entry: LogEntry): unknown;
}

/** Writes everything to the console. */
export const consoleLogger: Logger = {
  info: (line) => console.info(line),
  warn: (line) => console.warn(line),
  error: (line) => console.error(line),
};
