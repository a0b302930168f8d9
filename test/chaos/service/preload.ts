import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Runs in the service's process before the service is loaded. */

const shiftMs = Number(process.env.CHAOS_DATE_SHIFT_MS ?? 0);
if (shiftMs !== 0) {
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    constructor(...given: [] | ConstructorParameters<DateConstructor>) {
      if (given.length === 0) super(RealDate.now() + shiftMs);
      else super(...given);
    }

    static override now(): number {
      return RealDate.now() + shiftMs;
    }
  } as DateConstructor;
}

// The process stops itself, because a signal from outside could arrive too late.
if (process.env.CHAOS_STOPS_ON_SIGTERM === '1')
  process.once('SIGTERM', () => setImmediate(() => process.kill(process.pid, 'SIGSTOP')));

const loopDelay = monitorEventLoopDelay({ resolution: 5 });
loopDelay.enable();

export interface Measurement {
  /** The longest delay of a timer since the last measurement, ms. */
  readonly maxLoopDelayMs: number;
  /** The memory in use after a garbage collection, inside and outside of the heap. */
  readonly aliveBytes: number;
  readonly rssBytes: number;
}

function measure(): Measurement {
  // Node rounds up to the timer's resolution. Only the time above it is lateness.
  const maxLoopDelayMs = Math.max(0, loopDelay.max / 1e6 - 5);
  loopDelay.reset();
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { maxLoopDelayMs, aliveBytes: heapUsed + external, rssBytes: rss };
}

process.on('message', (question: { id: number }) => {
  process.send?.({ id: question.id, ...measure() });
});
// The parent has gone and can no longer end this process.
process.on('disconnect', () => process.exit(1));
process.channel?.unref();
