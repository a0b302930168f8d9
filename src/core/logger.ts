/**
 * Where an instance writes its lines: each a single line, ready to print. The
 * console, pino, winston and the like fit.
 */
export interface Logger {
  /** What went as it should, and may be worth knowing. */
  info(line: string): unknown;
  /** What durably got over by itself: a takeover, say. */
  warn(line: string): unknown;
  /** What failed. */
  error(line: string): unknown;
}

/** Everything to the console. */
export const consoleLogger: Logger = {
  info: (line) => console.info(line),
  warn: (line) => console.warn(line),
  error: (line) => console.error(line),
};
