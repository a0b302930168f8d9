import { setMaxListeners } from 'node:events';
import { watchRejection } from '../../core/user-code.ts';

type Listener = EventListenerOrEventListenerObject;
type Report = (error: unknown) => void;

/**
 * An abort controller whose signal is passed to user code. If a listener on that signal throws or
 * rejects, `report` gets the error. Node would raise it as an uncaught exception, which ends the
 * process. The signal is a real one, so `fetch` and `AbortSignal.any` accept it. Listeners on
 * signals that users derive from it are not guarded.
 */
export function createGuardedController(report: Report): AbortController {
  const controller = new AbortController();
  // Many parallel steps may listen. That is no leak.
  setMaxListeners(0, controller.signal);
  guardListeners(controller.signal, report);
  return controller;
}

/** Replaces the three ways to listen on this signal by guarded ones. */
function guardListeners(signal: AbortSignal, report: Report): void {
  const guardedBy = new WeakMap<object, EventListener>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);

  // Each listener has one guarded version, so that adding it twice has no effect and removing it works.
  const guardedOf = (listener: unknown): unknown => {
    if ((typeof listener !== 'object' && typeof listener !== 'function') || listener === null)
      return listener;
    const known = guardedBy.get(listener);
    if (known !== undefined) return known;
    const guarded = guardListener(listener as Listener, report);
    guardedBy.set(listener, guarded);
    // For the option `signal`, the signal itself removes the guarded listener.
    guardedBy.set(guarded, guarded);
    return guarded;
  };

  let onabort: unknown = null;
  // As in the DOM, it keeps the place among the listeners where `onabort` was first set.
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
