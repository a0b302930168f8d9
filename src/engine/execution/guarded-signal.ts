import { setMaxListeners } from 'node:events';
import { watchRejection } from '../../core/user-code.ts';

type Listener = EventListenerOrEventListenerObject;
type Report = (error: unknown) => void;

/**
 * An abort controller for a signal that is handed to user code. What a listener on
 * that signal throws, or rejects with, goes to `report`: Node would raise it as an
 * uncaught exception, which ends the process.
 *
 * The signal stays a real one: `fetch`, `AbortSignal.any` and everything else take
 * it. Listeners on signals that users derive from it are not guarded.
 */
export function createGuardedController(report: Report): AbortController {
  const controller = new AbortController();
  // Many parallel steps may listen; that is no leak.
  setMaxListeners(0, controller.signal);
  guardListeners(controller.signal, report);
  return controller;
}

/** Puts guarded versions of the three ways to listen on this one signal. */
function guardListeners(signal: AbortSignal, report: Report): void {
  const guardedBy = new WeakMap<object, EventListener>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);

  // A listener has one guarded version, so that adding it twice and removing it work.
  const guardedOf = (listener: unknown): unknown => {
    if ((typeof listener !== 'object' && typeof listener !== 'function') || listener === null)
      return listener;
    const known = guardedBy.get(listener);
    if (known !== undefined) return known;
    const guarded = guardListener(listener as Listener, report);
    guardedBy.set(listener, guarded);
    // The signal itself removes what it was given, for the option `signal`.
    guardedBy.set(guarded, guarded);
    return guarded;
  };

  let onabort: unknown = null;
  // Stays among the listeners at the place where `onabort` was first set, as the DOM has it.
  const callOnabort = guardListener(function (this: unknown, event) {
    return typeof onabort === 'function' ? onabort.call(this, event) : undefined;
  }, report);

  Object.defineProperties(signal, {
    addEventListener: {
      configurable: true,
      writable: true,
      value: (type: string, listener: unknown, options?: AddEventListenerOptions | boolean) =>
        add(type, guardedOf(listener) as Listener, options),
    },
    removeEventListener: {
      configurable: true,
      writable: true,
      value: (type: string, listener: unknown, options?: EventListenerOptions | boolean) =>
        remove(type, guardedOf(listener) as Listener, options),
    },
    onabort: {
      configurable: true,
      get: () => onabort,
      set(handler: unknown) {
        onabort = typeof handler === 'function' ? handler : null;
        if (onabort === null) remove('abort', callOnabort);
        else add('abort', callOnabort);
      },
    },
  });
}

function guardListener(listener: Listener, report: Report): EventListener {
  return function (this: unknown, event: Event): void {
    try {
      const answer: unknown =
        typeof listener === 'function'
          ? listener.call(this as EventTarget, event)
          : listener.handleEvent(event);
      watchRejection(answer, report);
    } catch (error) {
      report(error);
    }
  };
}
