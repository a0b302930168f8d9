/** The real one: a test may put a fake in its place while others wait here. */
const nextTask = setImmediate;

let underWay = 0;

/** {@link idle} waits until this work is done. */
export async function countUnderWay<T>(work: () => Promise<T>): Promise<T> {
  underWay++;
  try {
    return await work();
  } finally {
    underWay--;
  }
}

let waiting: (() => void)[] = [];

/**
 * Resolves when nothing in this process can continue by itself: no task waits for the event loop, and no
 * statement for its answer. Only the test or a clock can cause anything more. With a clock that stands still, a
 * test may now assert that something did *not* happen.
 */
export function idle(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) nextTask(look);
  });
}

/** Runs as a task of the event loop, shared by all waiters. All promise callbacks run before it. */
function look(): void {
  if (underWay > 0 || process.getActiveResourcesInfo().includes('Immediate')) {
    nextTask(look);
    return;
  }
  const idled = waiting;
  waiting = [];
  for (const resolve of idled) resolve();
}
