import { dropPromises } from '../../core/errors/dropped.ts';
import { MAX_PRIORITY } from '../../core/run.ts';
import { encodeLabels, labelsSchema } from '../../core/triggers/labels.ts';
import { toIssues } from '../../core/validation/issues.ts';
import { refusalOf } from '../../core/validation/refusal.ts';
import { shownValue } from '../../core/validation/shown-value.ts';

/** @throws {ValidationError} */
export function checkPriority(priority: unknown): number | undefined {
  if (priority == null) return undefined;
  if (Number.isInteger(priority) && Math.abs(Number(priority)) <= MAX_PRIORITY) return Number(priority);
  const message = `priority must be a whole number from -${MAX_PRIORITY} to ${MAX_PRIORITY}, not ${shownValue(priority)}`;
  throw refusalOf([{ path: ['priority'], message }]);
}

const triggerLabels = labelsSchema('labels');

/** The labels as JSON text. Null without labels. @throws {ValidationError} */
export function checkLabels(labels: unknown): string | null {
  if (labels === undefined || labels === null) return null;
  const parsed = triggerLabels.safeParse(labels);
  if (parsed.success) return encodeLabels(parsed.data);
  dropPromises(labels);
  const issues = toIssues(parsed.error).map(({ path, message }) => ({ path: ['labels', ...path], message }));
  throw refusalOf(issues);
}
