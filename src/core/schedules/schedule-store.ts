import type { Call } from '../call.ts';
import type { CancelledRun } from '../ownership/claim.ts';
import type { LimitKeys } from '../triggers/limits.ts';
import type { DueSchedule, MissedPolicy, OverlapPolicy, StoredSchedule } from './schedule.ts';

/** A schedule to be stored, all of it checked. */
export interface NewSchedule extends LimitKeys {
  readonly id: string;
  readonly jobName: string;
  readonly revision: string;
  /** JSON text. If it is that of the stored schedule, its slots stay. */
  readonly timing: string;
  readonly anchorMs: number;
  /** Null: it has no slot. */
  readonly nextAtMs: number | null;
  readonly missed: MissedPolicy;
  readonly overlap: OverlapPolicy;
  readonly priority: number;
  /** Of a schedule in a job's definition: the job's version. */
  readonly fixedVersion: number | null;
  /** JSON text; null without any. */
  readonly labels: string | null;
  /** JSON text. */
  readonly payload: string;
}

/** Which schedules to look for. */
export interface ScheduleLook {
  readonly jobNames: readonly string[];
  /** Those whose next slot comes within this time; ms. */
  readonly withinMs: number;
}

/** A schedule, and the time at which it was read. */
export interface KnownSchedule {
  readonly schedule: StoredSchedule | null;
  readonly nowMs: number;
}

/** What is to be done with slots of a schedule that have come. */
export interface Firing {
  readonly scheduleId: string;
  /** It is done only if these two are still those of the schedule. */
  readonly revision: string;
  readonly slotMs: number;
  /** It is done only between these two times, by the database's clock. Null: without an end. */
  readonly validFromMs: number;
  readonly validUntilMs: number | null;
  /** The schedule's next slot after this. */
  readonly nextAtMs: number | null;
  readonly runs: readonly { readonly runId: string; readonly scheduledForMs: number }[];
  /** Whether active runs of the schedule are cancelled first. */
  readonly cancelsEarlier: boolean;
}

/** What firings have done, those of other processes included. */
export interface Fired {
  /** The schedules as they are now. Those that were deleted are missing. */
  readonly schedules: readonly DueSchedule[];
  /** The runs that these firings have made. */
  readonly runIds: ReadonlySet<string>;
  readonly cancelled: readonly CancelledRun[];
}

export interface ResumedSchedule {
  readonly id: string;
  readonly revision: string;
  readonly nextAtMs: number | null;
}

export interface DeletedSchedule {
  readonly id: string;
  /** Removes a fixed one that this version of its job, or an older one, has said. Undefined: one that a caller has put. */
  readonly fixedVersion?: number | undefined;
}

/** The part of the Store port that concerns schedules. */
export interface ScheduleStore {
  /**
   * Stores a schedule, or changes it, unless it is fixed by a newer version of its job, or fixed and this one is not.
   * Its next slot changes only if its timing does. Returns it as it is then.
   */
  putSchedule(schedule: NewSchedule): Promise<StoredSchedule>;
  getSchedule(id: string): Promise<KnownSchedule>;
  /** By id. */
  listSchedules(): AsyncIterable<readonly StoredSchedule[]>;
  /** Of each of these jobs the first ones by id, so many at most. */
  listJobSchedules(
    look: {
      readonly jobNames: readonly string[];
      readonly atMost: number;
    },
    call?: Call,
  ): Promise<DueSchedule[]>;
  /** False for an unknown id. */
  pauseSchedule(id: string): Promise<boolean>;
  /** Resumes a schedule that still has this revision. Returns it as it is then; null for an unknown id. */
  resumeSchedule(resumed: ResumedSchedule): Promise<StoredSchedule | null>;
  deleteSchedule(deleted: DeletedSchedule): Promise<'done' | 'not-found' | 'fixed'>;
  /** Makes the runs of slots and moves their schedules on. However many processes try, each slot is fired once. */
  fireSlots(firings: readonly Firing[]): Promise<Fired>;
  /** Makes a run beside the slots. Returns the name of its job; undefined for an unknown schedule. */
  fireSchedule(fired: { readonly id: string; readonly runId: string }): Promise<string | undefined>;
}
