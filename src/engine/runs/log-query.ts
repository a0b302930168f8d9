import * as z from 'zod';
import { dropPromises } from '../../core/errors/dropped.ts';
import { ValidationError } from '../../core/errors/errors.ts';
import { DEFAULT_LIST_LIMIT, MAX_LIST_LIMIT } from '../../core/lists/run-query.ts';
import { LOG_LEVELS, type LogQuery } from '../../core/log-line.ts';
import type { LogPage } from '../../core/store.ts';
import { knownMembers, summarize, toIssues } from '../../core/validation/issues.ts';

const logQuerySchema = knownMembers('log query member', {
  runId: z.string(),
  level: z.enum(LOG_LEVELS).nullable().default(null),
  after: z.int().min(0).default(0),
  limit: z.int().min(1).max(MAX_LIST_LIMIT).default(DEFAULT_LIST_LIMIT),
});

/** @throws {ValidationError} that names the value that is out of bounds. */
export function parseLogQuery(query: LogQuery): LogPage {
  const parsed = logQuerySchema.safeParse(query, { reportInput: true });
  if (parsed.success) return parsed.data;
  dropPromises(query);
  const issues = toIssues(parsed.error);
  throw new ValidationError(`Invalid log query: ${summarize(issues)}`, issues);
}
