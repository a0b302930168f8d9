/** What a worker is at. */
export type WorkerState =
  /** It claims nothing by itself, and may be started. */
  | { readonly kind: 'stopped' }
  /** Its loop claims runs. */
  | { readonly kind: 'running' }
  | Stopping
  /** The database is gone for good: it claims nothing by itself, and may be started. */
  | { readonly kind: 'failed' }
  /** It is stopped for good: nothing is claimed any more, by its loop or on demand. */
  | { readonly kind: 'retired' };

/** It claims nothing, and waits for its runs. */
export interface Stopping {
  readonly kind: 'stopping';
  /** What it is when the stop is over: the last call of `start` or `stop` decides, unless that was final. */
  next: 'stopped' | 'running' | 'retired';
  /** Resolves then. */
  over: Promise<void>;
}

/** Nothing starts the worker again. */
export function isRetired(state: WorkerState): boolean {
  return state.kind === 'retired' || (state.kind === 'stopping' && state.next === 'retired');
}
