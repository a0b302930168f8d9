import * as z from 'zod';
import type { JobInfo, JsonSchema } from '../../core/managing/job-info.ts';
import { parseRetries } from '../../core/retries/retry.ts';
import { type JobDefinition, termsOf } from './define-job.ts';
import { limitsOf } from './job-limits.ts';

/** What a definition says about its job. */
export function describeJob(job: JobDefinition): Omit<JobInfo, 'counts' | 'paused' | 'schedules'> {
  const { version, timeout } = termsOf(job);
  return {
    name: job.name,
    input: schemaOf(job.input, 'input'),
    output: schemaOf(job.output, 'output'),
    version,
    limits: {
      retries: parseRetries('retries', job.retries)?.limit ?? 0,
      timeout: timeout?.text ?? null,
      ...limitsShown(job),
    },
  };
}

function limitsShown(job: JobDefinition): Pick<JobInfo['limits'], 'concurrency' | 'throttle'> {
  const { limit = null, perKey = null, whileWaiting = 'release', throttle } = limitsOf(job) ?? {};
  return {
    concurrency: job.concurrency === undefined ? null : { limit, perKey, whileWaiting },
    throttle:
      throttle === undefined ? null : { limit: throttle.limit, per: throttle.perMs, keyed: throttle.isKeyed },
  };
}

const known = {
  input: new WeakMap<object, JsonSchema | null>(),
  output: new WeakMap<object, JsonSchema | null>(),
};

/** A job's schema may be one of another library, or one that JSON Schema can't express. */
function schemaOf(schema: z.ZodType | undefined, io: 'input' | 'output'): JsonSchema | null {
  if (schema === undefined) return null;
  const found = known[io].get(schema);
  if (found !== undefined) return found;
  const made = toJsonSchema(schema, io);
  known[io].set(schema, made);
  return made;
}

function toJsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema | null {
  try {
    // Getters of a recursive schema are called here, and what is returned is plain JSON.
    return JSON.parse(JSON.stringify(z.toJSONSchema(schema, { io }))) as JsonSchema;
  } catch {
    return null;
  }
}
