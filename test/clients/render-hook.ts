import { Window } from 'happy-dom';
import { createElement } from 'react';
import { onTestFinished } from 'vitest';
import { until } from '../support/until.ts';

// react-dom looks for a document when it is loaded. No other browser globals exist, so requests use the platform's
// own fetch.
const window = new Window();
const { document, navigator } = window;
for (const [name, value] of Object.entries({ window, document, navigator })) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
const { createRoot } = await import('react-dom/client');

export interface RenderedHook<T> {
  /** The latest result of the hook. */
  readonly current: T;
  /** Waits until the latest result fulfils the condition. */
  until(condition: (current: T) => unknown, what: string): Promise<T>;
  unmount(): void;
}

/** Uses a hook in an empty component until the test is over. */
export async function renderHook<T>(useHook: () => T): Promise<RenderedHook<T>> {
  const answers: T[] = [];
  const Component = () => {
    answers.push(useHook());
    return null;
  };
  const root = createRoot(globalThis.document.createElement('div'));
  let isMounted = true;
  const unmount = () => {
    if (isMounted) root.unmount();
    isMounted = false;
  };
  onTestFinished(unmount);
  root.render(createElement(Component));
  await until(() => answers.length > 0, 'the hook to be rendered');
  const current = () => answers.at(-1) as T;
  return {
    get current() {
      return current();
    },
    async until(condition, what) {
      await until(() => condition(current()), what);
      return current();
    },
    unmount,
  };
}
