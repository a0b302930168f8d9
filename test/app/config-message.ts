import { ConfigError, readConfig } from '../../src/app/config.ts';

/** What is said of a configuration that is refused. */
export function messageFor(env: Record<string, string>): string {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('the configuration was accepted');
}
