let underWay = 0;

/** Counts as under way, for {@link idle}, until it has its answer. */
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
 * Resolves when nothing in this process can go on by itself: no task waits for
 * its turn of the event loop and no statement for its answer. What is left
 * waits for the test, or for a clock. So what has not happened by then does not
 * happen without one of these: with a clock that stands still this is the state
 * in which a test may say that something did *not* happen.
 */
export function idle(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(look);
  });
}

/** As a task of the event loop, once for all who wait: before it all promises have been followed. */
function look(): void {
  if (underWay > 0 || process.getActiveResourcesInfo().includes('Immediate')) {
    setImmediate(look);
    return;
  }
  const idled = waiting;
  waiting = [];
  for (const resolve of idled) resolve();
}
