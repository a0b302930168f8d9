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
}

/** Writes everything to the console. */
export const consoleLogger: Logger = {
  info: (line) => console.info(line),
  warn: (line) => console.warn(line),
  error: (line) => console.error(line),
};
