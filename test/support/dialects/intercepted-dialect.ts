import type { CompiledQuery, Dialect } from 'kysely';
import { type Around, wrapDialect } from './wrapped-driver.ts';

/** The dialect, with a driver that passes every statement to `intercept`. */
export function interceptStatements(dialect: Dialect, intercept: Around): Dialect {
  return wrapDialect(dialect, { around: intercept });
}

/** The dialect, with a driver that throws the result of `faultOf` instead of executing a statement. */
export function failStatements(
  dialect: Dialect,
  faultOf: (query: CompiledQuery) => Error | undefined,
): Dialect {
  return interceptStatements(dialect, async (query, execute) => {
    const fault = faultOf(query);
    if (fault) throw fault;
    return await execute();
  });
}

/**
 * The dialect, with a driver that executes the chosen statements and then throws as if the network had lost the
 * answer.
 */
export function loseAnswers(dialect: Dialect, isLost: (query: CompiledQuery) => boolean): Dialect {
  return interceptStatements(dialect, async (query, execute) => {
    const result = await execute();
    if (isLost(query)) throw new Error('the connection was reset');
    return result;
  });
}

/** An error like those of drivers. */
export function databaseError(code: string): Error {
  return Object.assign(new Error(`${code}: as the driver says it`), { code });
}
