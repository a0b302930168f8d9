import { ValidationError, type ValidationIssue } from '../errors/errors.ts';

/** One error for all issues. Its message joins theirs. */
export function refusalOf(issues: readonly ValidationIssue[]): ValidationError {
  return new ValidationError(issues.map(({ message }) => message).join('; '), issues);
}
