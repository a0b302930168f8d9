import type { RunStatus } from './run.ts';

/** How a signal is sent, besides its name and payload. */
export interface SignalOptions {
  /** A second signal with the same id changes nothing. 1 to 256 UTF-16 units. */
  readonly signalId?: string | undefined;
}

/** Whether a signal was stored, or had been stored before under its `signalId`. */
export interface Signalled {
  readonly disposition: 'accepted' | 'duplicate';
}

/** A signal to a run. */
export interface NewSignal {
  /** Created for this one call. */
  readonly id: string;
  readonly runId: string;
  readonly name: string;
  /** JSON text. */
  readonly payload: string;
  /** The id that the sender gave. Null without one. */
  readonly signalId: string | null;
}

/** The most signals of a run that no step has taken. */
export const MAX_UNTAKEN_SIGNALS = 1_000;

/** The result of sending a signal: stored, or why not. */
export type SignalResult =
  | { readonly kind: 'accepted'; readonly jobName: string }
  /** A signal with its `signalId`, its name and its payload was stored before. */
  | { readonly kind: 'duplicate' }
  /** A signal with its `signalId` was stored before, with another name or payload. `payload`: its payload, if the name is the same. */
  | { readonly kind: 'conflict'; readonly payload: string | null }
  | { readonly kind: 'not-found' }
  /** The run is over. */
  | { readonly kind: 'wrong-state'; readonly status: RunStatus }
  /** {@link MAX_UNTAKEN_SIGNALS} wait already. */
  | { readonly kind: 'full' };
