import type { JournalEvent, LogLevel, StepKind } from '../../client.ts';
import { type Bar, type Lane, newLane, triggeredRun } from './lane.ts';

type WaitKind = Extract<JournalEvent, { readonly type: 'run:wait' }>['waits'][number]['kind'];

/** A log line, or an event of the job's own. */
export interface RunLogLine {
  readonly sequence: number;
  readonly timestamp: string;
  readonly level: LogLevel;
  readonly stepName: string | null;
  readonly message: string;
  readonly data: unknown;
}

const WAIT_TEXT: Readonly<Record<WaitKind, string>> = {
  delay: 'waits to start',
  retry: 'waits for the next try',
  sleep: 'sleeps',
  signal: 'waits for a signal',
  run: 'waits for a run',
};

/** What a run's events say of it: its steps with their tries and waits, its log lines. */
export class RunModel {
  readonly run: Lane = newLane('run', -1, 'run');
  readonly steps: Lane[] = [];
  readonly logs: RunLogLine[] = [];
  readonly events: JournalEvent[] = [];
  beginMs = Number.POSITIVE_INFINITY;
  /** The time of the last event. */
  lastMs = 0;
  /** When the run ended; null while it is active. */
  endMs: number | null = null;
  readonly #byName = new Map<string, Lane>();
  readonly #open = new Set<Bar>();

  laneOf(name: string): Lane | undefined {
    return this.#byName.get(name);
  }

  /** Takes an event that comes after all others. */
  take(event: JournalEvent): void {
    this.events.push(event);
    const atMs = Date.parse(event.timestamp);
    this.beginMs = Math.min(this.beginMs, atMs);
    this.lastMs = Math.max(this.lastMs, atMs);
    this.#apply(event, atMs);
  }

  #apply(event: JournalEvent, atMs: number): void {
    switch (event.type) {
      case 'run:trigger':
        return this.#idle(atMs, event.runAt);
      case 'run:reschedule':
        this.#close(atMs, 'completed');
        return this.#idle(atMs, event.timestamp < event.runAt ? event.runAt : undefined);
      case 'run:start':
      case 'run:resume':
        // What is open belongs to a worker that was lost, except what waited.
        this.#close(atMs, 'lost');
        this.run.status = 'open';
        this.run.tries = event.attempt;
        return void this.#add(this.run, { kind: 'attempt', atMs, text: `attempt ${event.attempt}` });
      case 'run:wait':
        return this.#wait(event.waits, atMs);
      case 'run:retry':
        this.#close(atMs, event.automatic ? 'failed' : 'completed', event.error);
        this.endMs = null;
        return this.#idle(atMs, event.nextAttemptAt, 'retry');
      case 'run:complete':
        this.run.output = event.output;
        this.run.hasOutput = true;
        return this.#end('completed', atMs);
      case 'run:fail':
        this.run.error = event.error;
        this.run.errorDetail = event.errorDetail ?? null;
        return this.#end('failed', atMs, event.error);
      case 'run:cancel':
        return this.#end('cancelled', atMs);
      case 'step:start':
        return this.#startTry(event.stepName, event.stepIndex, atMs);
      case 'step:complete':
      case 'step:fail':
      case 'step:retry':
        return this.#endTry(event, atMs);
      case 'log:write':
        return void this.logs.push(event);
      default:
    }
  }

  /** What the list of steps says and events do not. */
  setKinds(steps: readonly { readonly name: string; readonly kind: StepKind }[]): void {
    for (const { name, kind } of steps) {
      const lane = this.#byName.get(name);
      if (lane) lane.kind = kind;
    }
  }

  #idle(atMs: number, until: string | undefined, kind: WaitKind = 'delay'): void {
    const isWaiting = until !== undefined;
    this.run.status = isWaiting ? 'waiting' : 'open';
    const text = isWaiting ? WAIT_TEXT[kind] : 'pending';
    this.#add(this.run, { kind: isWaiting ? 'wait' : 'queued', atMs, text });
  }

  #startTry(name: string, index: number, atMs: number): void {
    const lane = this.#laneFor(name, index);
    for (const bar of lane.bars) if (bar.toMs === null) this.#closeBar(bar, atMs, 'completed');
    lane.status = 'open';
    lane.tries++;
    this.#add(lane, { kind: 'try', atMs, text: lane.tries > 1 ? `try ${lane.tries}` : 'runs' });
  }

  #endTry(
    event: Extract<JournalEvent, { readonly type: 'step:complete' | 'step:fail' | 'step:retry' }>,
    atMs: number,
  ): void {
    const lane = this.#laneFor(event.stepName, event.stepIndex);
    const isComplete = event.type === 'step:complete';
    const bar = lane.bars.at(-1);
    if (bar === undefined || (bar.toMs !== null && bar.kind === 'try')) {
      // Its start was lost with a worker.
      this.#add(lane, { kind: 'try', atMs: isComplete ? atMs - event.duration : atMs, text: 'runs' });
    }
    for (const one of lane.bars) {
      if (one.toMs !== null) continue;
      // A start is stored a moment late, or with the result.
      if (isComplete && one.kind === 'try')
        one.fromMs = Math.min(one.fromMs, Math.max(atMs - event.duration, this.beginMs));
      this.#closeBar(one, atMs, isComplete ? 'completed' : 'failed', isComplete ? undefined : event.error);
    }
    if (event.type === 'step:retry') {
      this.#add(lane, { kind: 'wait', atMs, text: WAIT_TEXT.retry });
      return;
    }
    lane.status = isComplete ? 'completed' : 'failed';
    if (event.type === 'step:complete') {
      lane.output = event.output;
      lane.hasOutput = true;
      lane.childRunId ??= triggeredRun(event.output);
      lane.error = null;
      lane.errorDetail = null;
    } else {
      lane.error = event.error;
      lane.errorDetail = event.errorDetail ?? null;
    }
  }

  #wait(waits: Extract<JournalEvent, { readonly type: 'run:wait' }>['waits'], atMs: number): void {
    this.#close(atMs, 'completed');
    this.run.status = 'waiting';
    for (const wait of waits) {
      const lane = wait.stepName === null ? this.run : this.#byName.get(wait.stepName);
      if (lane === undefined) continue;
      if (wait.kind === 'sleep' || wait.kind === 'signal') lane.kind = wait.kind;
      if (wait.kind === 'run') lane.kind = 'invoke';
      lane.childRunId = wait.runId ?? lane.childRunId;
      lane.status = 'waiting';
      const last = lane.bars.at(-1);
      // A step that only waits was started a moment before. Its row shows the wait alone.
      const fromMs = lane !== this.run && wait.kind !== 'retry' && last?.kind === 'try' ? last.fromMs : atMs;
      if (fromMs !== atMs) lane.bars.pop();
      const signal = wait.signal === undefined ? '' : ` “${wait.signal}”`;
      this.#add(lane, { kind: 'wait', atMs: fromMs, text: `${WAIT_TEXT[wait.kind]}${signal}` });
    }
    if (waits.every(({ stepName }) => stepName !== null)) {
      this.#add(this.run, { kind: 'wait', atMs, text: 'waits' });
    }
  }

  #end(outcome: 'completed' | 'failed' | 'cancelled', atMs: number, error?: string): void {
    this.#close(atMs, outcome, error);
    this.run.status = outcome;
    this.endMs = atMs;
    for (const lane of this.steps) {
      if (lane.status === 'open' || lane.status === 'waiting') lane.status = 'cancelled';
    }
  }

  #laneFor(name: string, index: number): Lane {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const lane = newLane(name, index, 'run');
    this.#byName.set(name, lane);
    this.steps.push(lane);
    return lane;
  }

  #add(lane: Lane, bar: { readonly kind: Bar['kind']; readonly atMs: number; readonly text: string }): void {
    const added: Bar = {
      kind: bar.kind,
      fromMs: bar.atMs,
      toMs: null,
      outcome: 'open',
      text: bar.text,
      error: null,
    };
    lane.bars.push(added);
    this.#open.add(added);
  }

  /** Closes all bars. Waits and queues are over, whatever became of the tries. */
  #close(atMs: number, outcome: Bar['outcome'], error?: string): void {
    for (const bar of this.#open) {
      const isRunning = bar.kind === 'try' || bar.kind === 'attempt';
      this.#closeBar(bar, atMs, isRunning ? outcome : 'completed', isRunning ? error : undefined);
    }
  }

  #closeBar(bar: Bar, atMs: number, outcome: Bar['outcome'], error?: string): void {
    bar.toMs = Math.max(bar.fromMs, atMs);
    bar.outcome = outcome;
    bar.error = error ?? null;
    this.#open.delete(bar);
  }
}
