import type { z } from 'zod';
import { dropPromises } from '../../core/errors/dropped.ts';
import type { ValidationIssue } from '../../core/errors/errors.ts';
import { isRangeError, MAX_JSON_DEPTH } from '../../core/json/json.ts';
import { nestsDeeperThan } from '../../core/json/nesting.ts';
import { summarize, toIssues } from '../../core/validation/issues.ts';

export type Parsed =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly issues: readonly ValidationIssue[]; readonly summary: string };

/**
 * Parses a value with a user's schema, always with `safeParseAsync`. A schema with an async
 * refinement would throw from `safeParse`. Its refinement would have started by then, and could
 * reject without a handler, which ends the process.
 */
export async function parseWith(schema: z.ZodType, value: unknown): Promise<Parsed> {
  let isTaken = false;
  try {
    // A schema of another library may only have `safeParse`.
    const result = await (typeof schema.safeParseAsync === 'function'
      ? schema.safeParseAsync(value)
      : schema.safeParse(value));
    if (typeof result?.success === 'boolean') {
      isTaken = result.success;
      return result.success ? { ok: true, value: result.data } : refused(result.error);
    }
    throw new TypeError('the schema answered neither a value nor issues');
  } catch (error) {
    // An error of the user's own refinement says nothing about the value's depth.
    if (!isRangeError(error) || !nestsDeeperThan(MAX_JSON_DEPTH, value)) throw error;
    // A recursive schema followed the value until the stack was full.
    const message = `nested deeper than ${MAX_JSON_DEPTH} levels`;
    return { ok: false, issues: [{ path: [], message }], summary: message };
  } finally {
    if (!isTaken) dropPromises(value);
  }
}

function refused(error: z.ZodError): Parsed {
  const issues = toIssues(error);
  return { ok: false, issues, summary: summarize(issues) };
}
