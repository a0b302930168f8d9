/**
 * Where an instance writes its lines: each a single line, ready to print. The
 * console, pino, winston and the like fit.
 */
export interface Logger {
  info(line: string): unknown;
  warn(line: string): unknown;
  error(line: string): unknown;
}

/** Everything to the console. */
export const consoleLogger: Logger = {
  info: (line) => console.info(line),
  warn: (line) => console.warn(line),
  error: (line) => console.error(line),
};
