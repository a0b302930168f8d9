import { type Signal, signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { client, keyWanted } from './connection.ts';

/** What a view has of something it reads: nothing yet, a value, or a value and why the last reading failed. */
export interface Polled<T> {
  readonly value: T | undefined;
  readonly error: unknown;
}

/** Reads something when the view opens, and again while the page is seen. `deps` say when it is something else. */
export function usePolled<T>(
  read: () => Promise<T>,
  { everyMs, deps = [] }: { readonly everyMs: number; readonly deps?: readonly unknown[] },
): { readonly state: Signal<Polled<T>>; readonly again: () => void } {
  const key = JSON.stringify(deps);
  const service = client.value;
  const state = useMemo(() => signal<Polled<T>>({ value: undefined, error: undefined }), [key]);
  const again = useMemo(() => signal(0), []);
  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const next = async () => {
      clearTimeout(timer);
      if (document.visibilityState === 'visible' || state.peek().value === undefined) {
        try {
          const value = await read();
          if (!isOver) state.value = { value, error: undefined };
        } catch (error) {
          if (!isOver) state.value = { value: state.peek().value, error };
        }
      }
      // Without a key, asking again is of no use.
      if (!isOver && keyWanted.peek() === null) timer = setTimeout(next, everyMs);
    };
    void next();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [key, service, again.value]);
  return { state, again: () => again.value++ };
}
