import { ValidationError, type ValidationIssue } from '../errors/errors.ts';

/** One error for all issues; its message is theirs. */
export function refusalOf(issues: readonly ValidationIssue[]): ValidationError {
  return new ValidationError(issues.map(({ message }) => message).join('; '), issues);
}
