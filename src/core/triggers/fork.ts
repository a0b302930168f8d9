import type { LimitKeys } from './limits.ts';

/** A run that goes on from the middle of another one. */
export interface NewFork extends LimitKeys {
  readonly id: string;
  /** The run whose steps it takes over. */
  readonly runId: string;
  /** The step from which it goes on. */
  readonly from: string;
  /** JSON text; that of the other run unless given. */
  readonly payload: string | undefined;
  /** What plugins store with it, by their names: JSON text. */
  readonly pluginData?: string | undefined;
}

/** The most bytes of results that a fork copies, because it does so at once, and other writes wait meanwhile. */
export const MAX_FORK_BYTES = 64 * 1024 * 1024;

/**
 * What became of a fork: stored, or there is no such run, or the run has no such step, or the results of the steps before it
 * are larger than {@link MAX_FORK_BYTES} together.
 */
export type ForkResult = 'stored' | 'not-found' | 'no-step' | 'too-large';
