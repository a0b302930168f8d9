import { errorFields } from '../../core/errors/error-fields.ts';
import {
  LEAST_LEVELS,
  type LeastLevel,
  type LogEntry,
  type LogFields,
  type Logger,
} from '../../core/logger.ts';

/** Whether entries of this level are written. */
export function isWritten(level: LogEntry['level'], least: LeastLevel): boolean {
  return LEAST_LEVELS.indexOf(level) <= LEAST_LEVELS.indexOf(least);
}

/** The log of the service: of its instance, its requests and itself. */
export interface ServiceLog extends Logger {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** Something failed. With an error, its stack is part of the entry. */
  error(message: string, fields?: LogFields): void;
  failure(message: string, error: unknown, fields?: LogFields): void;
  entry(entry: LogEntry): void;
}

/** @param write writes an entry. It never throws */
export function createServiceLog(write: (entry: LogEntry) => void): ServiceLog {
  const writer =
    (level: LogEntry['level']) =>
    (message: string, fields: LogFields = {}) =>
      write({ level, message, fields });
  return {
    info: writer('info'),
    warn: writer('warn'),
    error: writer('error'),
    failure: (message, error, fields = {}) =>
      write({ level: 'error', message, fields: { ...fields, ...errorFields(error) } }),
    entry: write,
  };
}
