import type { z } from 'zod';
import type { ValidationIssue } from '../../core/errors/errors.ts';
import { isRangeError, MAX_JSON_DEPTH } from '../../core/json/json.ts';
import { nestsDeeperThan } from '../../core/json/nesting.ts';
import { summarize, toIssues } from '../../core/validation/issues.ts';

export type Parsed =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly issues: readonly ValidationIssue[]; readonly summary: string };

/**
 * Parses with a user's schema. It is always asked asynchronously: one that turns out
 * to be asynchronous when it is asked otherwise has begun something by then, whose
 * failure would end the process.
 */
export async function parseWith(schema: z.ZodType, value: unknown): Promise<Parsed> {
  try {
    // A schema of another make may have `safeParse` alone.
    const result = await (typeof schema.safeParseAsync === 'function'
      ? schema.safeParseAsync(value)
      : schema.safeParse(value));
    if (typeof result?.success === 'boolean') return toParsed(result);
    throw new TypeError('the schema answered neither a value nor issues');
  } catch (error) {
    // What a user's own refinement throws is no fault of the value's depth.
    if (!isRangeError(error) || !nestsDeeperThan(MAX_JSON_DEPTH, value)) throw error;
    // A recursive schema followed the value deeper than the stack goes.
    const message = `nested deeper than ${MAX_JSON_DEPTH} levels`;
    return { ok: false, issues: [{ path: [], message }], summary: message };
  }
}

function toParsed(result: z.ZodSafeParseResult<unknown>): Parsed {
  if (result.success) return { ok: true, value: result.data };
  const issues = toIssues(result.error);
  return { ok: false, issues, summary: summarize(issues) };
}
