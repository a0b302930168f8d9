import type { JsonText } from './json/json-text.ts';
import { withShownTexts } from './json/sealed.ts';

export const LOG_LEVELS = ['info', 'warn', 'error'] as const;
/** How serious a log line is. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** One log line of a run. */
export interface LogLine<TData = unknown> {
  /** Its place in the journal: rising, and usable as `after`. */
  readonly sequence: number;
  readonly stepName: string | null;
  readonly level: LogLevel;
  readonly message: string;
  readonly data: TData;
  readonly createdAt: string;
}

/** A log line as it is stored. */
export type StoredLogLine = LogLine<JsonText | null>;

export function parseLogLine(stored: StoredLogLine): LogLine {
  return { ...withShownTexts(stored), data: stored.data?.parse() ?? null };
}

/** Which log lines of a run are read. */
export interface LogQuery {
  readonly runId: string;
  readonly level?: LogLevel | undefined;
  /** 1 to 1,000. Default: 100. */
  readonly limit?: number | undefined;
  /** Only lines after this `sequence`. */
  readonly after?: number | undefined;
}
