import { z } from 'zod';
import type { ValidationIssue } from '../core/errors.ts';
import { summarize, toIssues } from '../core/issues.ts';
import { MAX_JSON_DEPTH } from '../core/json.ts';

export type Parsed =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly issues: readonly ValidationIssue[]; readonly summary: string };

/** Parses with a user's schema, which may be asynchronous. */
export async function parseWith(schema: z.ZodType, value: unknown): Promise<Parsed> {
  try {
    return toParsed(safeParseSync(schema, value) ?? (await schema.safeParseAsync(value)));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    // A recursive schema followed the value deeper than the stack goes.
    const message = `nested deeper than ${MAX_JSON_DEPTH} levels`;
    return { ok: false, issues: [{ path: [], message }], summary: message };
  }
}

/** Schemas that turned out to be asynchronous: they are not tried the other way again. */
const asyncSchemas = new WeakSet<z.ZodType>();

/** Undefined if the schema needs to be asked asynchronously. */
function safeParseSync(schema: z.ZodType, value: unknown): z.ZodSafeParseResult<unknown> | undefined {
  if (asyncSchemas.has(schema)) return undefined;
  try {
    return schema.safeParse(value);
  } catch (error) {
    if (error instanceof z.core.$ZodAsyncError) {
      asyncSchemas.add(schema);
      return undefined;
    }
    throw error;
  }
}

function toParsed(result: z.ZodSafeParseResult<unknown>): Parsed {
  if (result.success) return { ok: true, value: result.data };
  const issues = toIssues(result.error);
  return { ok: false, issues, summary: summarize(issues) };
}
