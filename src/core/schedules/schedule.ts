import type { Duration } from '../time/duration.ts';
import type { Labels } from '../triggers/labels.ts';
import type { LimitKeys } from '../triggers/limits.ts';
import type { Timing } from './timing.ts';

export const MISSED_POLICIES = ['skip', 'once', 'all'] as const;
/** What becomes of slots that came while no worker fired them. */
export type MissedPolicy = (typeof MISSED_POLICIES)[number];

export const OVERLAP_POLICIES = ['allow', 'skip', 'cancel'] as const;
/** What a slot does if an earlier run of its schedule is still active. */
export type OverlapPolicy = (typeof OVERLAP_POLICIES)[number];

/** `missed: 'all'` makes up for at most this many slots, the latest ones. */
export const MAX_MISSED = 1_000;

/** When a schedule triggers runs, and which. Exactly one of `cron` and `every` is given. */
export interface JobSchedule<TInput = unknown> {
  /** Five fields, six with seconds, or a nickname such as `@daily`. */
  readonly cron?: string | undefined;
  /** At least a second. The slots are counted from `startAt`, or from when the schedule was stored. */
  readonly every?: Duration | undefined;
  /** The IANA time zone in which `cron` is read. Default: `UTC`. */
  readonly timezone?: string | undefined;
  /** The input of each run. Default: `{}`. */
  readonly input?: TInput | undefined;
  /**
   * What becomes of slots that no worker fired in time: none is made up for (`skip`), one run for all of them
   * (`once`), or each of the latest 1,000 (`all`). Default: `skip`.
   */
  readonly missed?: MissedPolicy | undefined;
  /**
   * What a slot does while an earlier run of the schedule is active: it makes its run all the same (`allow`), makes none
   * (`skip`), or cancels that run first (`cancel`). Default: `allow`.
   */
  readonly overlap?: OverlapPolicy | undefined;
  /** No slot is before it: a Date, or an ISO 8601 text with a time zone. */
  readonly startAt?: Date | string | undefined;
  /** All slots are before it: a Date, or an ISO 8601 text with a time zone. */
  readonly endAt?: Date | string | undefined;
  /** The labels of each run. */
  readonly labels?: Labels | undefined;
  /** The priority of each run: a whole number from -1000 to 1000. Default: 0. */
  readonly priority?: number | undefined;
}

/** A schedule to be stored under its id. */
export interface ScheduleRequest extends JobSchedule {
  /** 1 to 256 UTF-16 units. */
  readonly id: string;
  readonly jobName: string;
}

/** A stored schedule. Times are ISO 8601 UTC with ms. */
export interface Schedule {
  readonly id: string;
  readonly jobName: string;
  readonly input: unknown;
  readonly cron: string | null;
  /** In ms. */
  readonly every: number | null;
  readonly timezone: string;
  readonly missed: MissedPolicy;
  readonly overlap: OverlapPolicy;
  readonly startAt: string | null;
  readonly endAt: string | null;
  readonly labels: Labels;
  readonly priority: number;
  readonly isPaused: boolean;
  /** Whether the definition of its job has it. */
  readonly isFixed: boolean;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** The next five slots; fewer before its end. Those of a paused schedule come only if it is resumed before. */
  readonly next: readonly string[];
}

/** What a process needs of a stored schedule to fire it. Times are ms since the epoch, by the database's clock. */
export interface DueSchedule {
  readonly id: string;
  readonly jobName: string;
  /** Another one after each change of the schedule. */
  readonly revision: string;
  readonly timing: Timing;
  readonly nextAtMs: number | null;
  readonly missed: MissedPolicy;
  readonly overlap: OverlapPolicy;
  /** The version of the job that defines it. Null if a caller put it. */
  readonly fixedVersion: number | null;
  readonly isPaused: boolean;
  /** When it was read. */
  readonly nowMs: number;
}

/** A schedule as it is stored. */
export interface StoredSchedule extends DueSchedule, LimitKeys {
  /** JSON text. */
  readonly payload: string;
  /** The payload as it is stored, if a plugin has encoded it and another one decoded it. */
  readonly sealedPayload?: string | undefined;
  /** JSON text; null without any. */
  readonly labels: string | null;
  readonly priority: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}
