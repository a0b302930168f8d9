import { expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { DatabaseUnavailableError, ValidationError } from '../../src/core/errors/errors.ts';
import { explainFailedStart } from '../../src/entry/node/start-failure.ts';

const explained = (error: unknown) => String(explainFailedStart(error, readConfig({})));

it('does not blame the database for what the jobs or an option do wrong', () => {
  const refused = explained(new ValidationError('job "greet": retries must be a whole number'));
  expect(refused).toBe('StartError: job "greet": retries must be a whole number');
  expect(explained(new DatabaseUnavailableError('it is away'))).toContain('TURSO_DATABASE_URL=file:');
});
