import { ValidationError, type ValidationIssue } from '../errors/errors.ts';

/** One error for all issues. Its message joins theirs. */
export function refusalOf(issues: readonly ValidationIssue[]): ValidationError {
  return new ValidationError(issues.map(({ message }) => message).join('; '), issues);
}

/** The error for one member. @param name its place, such as `throttle.limit`. The message begins with it. */
export function refuseMember(name: string, fault: string): ValidationError {
  return refusalOf([{ path: name.split('.'), message: `${name} ${fault}` }]);
}
