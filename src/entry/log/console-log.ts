import { onOneLine } from '../../core/errors/log-text.ts';
import type { LeastLevel } from '../../core/logger.ts';
import { createServiceLog, isWritten, type ServiceLog } from './service-log.ts';

/** Writes JSON lines to the console, for platforms that collect what is written there. */
export function createConsoleLog(least: LeastLevel): ServiceLog {
  return createServiceLog(({ level, message, fields }) => {
    if (!isWritten(level, least)) return;
    const line = JSON.stringify({ level, time: new Date().toISOString(), msg: message, ...fields });
    console[level](onOneLine(line));
  });
}
