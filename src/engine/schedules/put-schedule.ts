import { ConflictError } from '../../core/errors/errors.ts';
import { newRevision } from '../../core/id.ts';
import { checkAhead, encodeTiming, parseScheduleRule } from '../../core/schedules/rule.ts';
import type { JobSchedule, StoredSchedule } from '../../core/schedules/schedule.ts';
import { slotAfter } from '../../core/schedules/timing.ts';
import type { Store } from '../../core/store.ts';
import { shownValue } from '../../core/validation/shown-value.ts';
import type { JobDefinition } from '../jobs/define-job.ts';
import { newRun } from '../jobs/new-run.ts';
import type { Codec } from '../plugins/codec.ts';
import type { Plugins } from '../plugins/plugins.ts';
import { announceTrigger } from '../plugins/triggering.ts';

interface PutDeps {
  readonly store: Store;
  /** The most bytes of JSON for an input. */
  readonly maxInputBytes: number;
  readonly plugins: Plugins;
}

/** Who puts a schedule: a caller, or the definition of a job of this version. */
export type PutBy = { readonly kind: 'caller' } | { readonly kind: 'definition'; readonly version: number };

/**
 * Stores a schedule, or changes it. Its slots change only if its timing does, and none of them has come.
 *
 * @throws {ValidationError} that names the bad member and its value
 * @throws {ConflictError} if a caller would change a schedule of a definition
 */
export async function putSchedule(
  { store, maxInputBytes, plugins }: PutDeps,
  {
    id,
    job,
    schedule,
    by,
  }: {
    readonly id: string;
    readonly job: JobDefinition;
    readonly schedule: JobSchedule;
    readonly by: PutBy;
  },
): Promise<StoredSchedule> {
  const { timing, missed, overlap } = parseScheduleRule(schedule);
  const { input = {}, labels, priority } = schedule;
  const run = await newRun(job, { input, options: { labels, priority } }, maxInputBytes);
  const { schedule: known, nowMs } = await store.getSchedule(id);
  if (by.kind === 'caller' && known !== null) refuseFixed(known);
  const encoded = encodeTiming(timing);
  const anchorMs = timing.startAtMs ?? nowMs;
  const isNewTiming = known === null || encodeTiming(known.timing) !== encoded;
  // A definition stays as it is when its times are over.
  if (isNewTiming && by.kind === 'caller') checkAhead({ ...timing, anchorMs }, nowMs);
  const { id: _, ...triggered } = run;
  await announceTrigger(plugins, triggered, { kind: 'schedule' });
  const stored = await store.putSchedule({
    id,
    jobName: job.name,
    revision: newRevision(),
    timing: encoded,
    anchorMs,
    nextAtMs: slotAfter({ ...timing, anchorMs }, nowMs),
    missed,
    overlap,
    priority: run.priority ?? 0,
    limitKey: run.limitKey,
    throttleKey: run.throttleKey,
    fixedVersion: by.kind === 'definition' ? by.version : null,
    labels: run.labels,
    payload: await payloadToStore(plugins.codec, run.payload, known),
  });
  // A definition has put it meanwhile.
  if (by.kind === 'caller') refuseFixed(stored);
  return stored;
}

/** The same payload may be encoded differently each time, and a schedule that is put again must be the same. */
async function payloadToStore(
  codec: Codec | undefined,
  payload: string,
  known: StoredSchedule | null,
): Promise<string> {
  if (codec === undefined) return payload;
  const sealed = known?.payload === payload ? known.sealedPayload : undefined;
  return sealed ?? (await codec.seal(payload));
}

/** @throws {ConflictError} for a schedule of a definition */
function refuseFixed({ id, fixedVersion }: StoredSchedule): void {
  if (fixedVersion !== null) throw fixedError(id);
}

/** A caller would change or delete a schedule of a definition. */
export function fixedError(id: string): ConflictError {
  return new ConflictError(
    `Schedule ${shownValue(id)} is in the definition of its job, and changes only with that`,
  );
}
