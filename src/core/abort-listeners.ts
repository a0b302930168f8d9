type Listeners = Set<() => void> & { stop: () => void };

const listenersBySignal = new WeakMap<AbortSignal, Listeners>();

/**
 * Calls `listener` when the signal aborts. The returned function unsubscribes. All subscribers share
 * one event listener on the signal, because Node warns of a leak from eleven on. If the signal is
 * already aborted, nobody is called.
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  const listeners = listenersBySignal.get(signal) ?? listenTo(signal);
  const own = () => listener();
  listeners.add(own);
  return () => {
    if (listeners.delete(own) && listeners.size === 0) listeners.stop();
  };
}

function listenTo(signal: AbortSignal): Listeners {
  const tellAll = () => {
    const told = [...listeners];
    listeners.clear();
    listeners.stop();
    for (const listener of told) listener();
  };
  const listeners: Listeners = Object.assign(new Set<() => void>(), {
    stop: () => {
      listenersBySignal.delete(signal);
      signal.removeEventListener('abort', tellAll);
    },
  });
  listenersBySignal.set(signal, listeners);
  signal.addEventListener('abort', tellAll);
  return listeners;
}
