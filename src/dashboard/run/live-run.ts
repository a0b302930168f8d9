import { batch, signal } from '@preact/signals';
import type { JournalEvent, Run } from '../../client.ts';
import { client } from '../service/connection.ts';
import { follow } from '../service/follow.ts';
import { RunModel } from './run-model.ts';

/** A run with more steps is not asked for their kinds, which would send all outputs twice. */
const MAX_STEPS_FOR_KINDS = 2000;
/** How often the run itself is read while it changes. */
const READ_EVERY_MS = 500;
/** How often a run that is over is read: someone else may retry it. */
const READ_ENDED_EVERY_MS = 10_000;

/** A run as it changes: what is stored of it, and what its events say. */
export class LiveRun {
  readonly id: string;
  readonly model = new RunModel();
  readonly run = signal<Run | undefined>(undefined);
  /** Why the run could not be read, or its events. */
  readonly error = signal<unknown>(undefined);
  readonly isUnknown = signal(false);
  readonly isDeleted = signal(false);
  /** Rises when the model has changed. */
  readonly version = signal(0);
  #stopFollowing: (() => void) | undefined;
  #readTimer: ReturnType<typeof setTimeout> | undefined;
  #readInMs = 0;
  #isStopped = false;
  #stepsOfKnownKind = 0;

  constructor(id: string) {
    this.id = id;
  }

  /** Reads the run and follows its events, from where it was stopped. */
  start(): void {
    this.#isStopped = false;
    this.error.value = undefined;
    void this.#read();
    this.#follow(this.model.events.at(-1)?.sequence);
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopFollowing?.();
    clearTimeout(this.#readTimer);
    this.#readTimer = undefined;
  }

  /** Reads the run after a command, and follows it again if it was over. */
  again(): void {
    void this.#read();
    if (this.model.endMs !== null) this.#follow(this.model.events.at(-1)?.sequence);
  }

  #follow(after: number | undefined): void {
    this.#stopFollowing?.();
    this.#stopFollowing = follow({
      open: (options) => client.peek().runEvents(this.id, options),
      after,
      onOpen: () => {
        this.error.value = undefined;
        if (this.run.peek() === undefined) void this.#read();
      },
      onEvents: (events) => this.#take(events),
      onEnd: (error) => {
        if (error !== undefined) this.error.value = error;
        else void this.#readKinds();
      },
    });
  }

  #take(events: readonly JournalEvent[]): void {
    for (const event of events) this.model.take(event);
    batch(() => {
      this.version.value++;
      if (events.some(({ type }) => type === 'run:delete')) this.isDeleted.value = true;
    });
    if (events.some(({ type }) => type.startsWith('run:') && type !== 'run:emit'))
      this.#readIn(READ_EVERY_MS);
  }

  #show(run: Run): void {
    const before = this.run.peek();
    if (before === undefined) this.error.value = undefined;
    this.run.value = run;
    // Retried and over again between two readings: its new events are still to be read.
    const hasChanged = before?.isTerminal === true && before.updatedAt !== run.updatedAt;
    if (hasChanged && this.model.endMs !== null) this.#follow(this.model.events.at(-1)?.sequence);
    if (run.isTerminal) this.#readIn(READ_ENDED_EVERY_MS);
    else if (!hasChanged && this.model.endMs !== null) this.#follow(this.model.events.at(-1)?.sequence);
  }

  /** Reads the run once, after the shortest time that was asked for. */
  #readIn(ms: number): void {
    if (this.#readTimer !== undefined && ms >= READ_ENDED_EVERY_MS) return;
    if (this.#readTimer !== undefined && this.#readInMs === ms) return;
    clearTimeout(this.#readTimer);
    this.#readInMs = ms;
    this.#readTimer = setTimeout(() => {
      this.#readTimer = undefined;
      void this.#read();
    }, ms);
  }

  async #read(): Promise<void> {
    if (this.isDeleted.peek()) return;
    try {
      const run = await client.peek().getRun(this.id);
      if (this.#isStopped) return;
      if (run === null && this.run.peek() !== undefined) this.isDeleted.value = true;
      else if (run === null) this.isUnknown.value = true;
      else this.#show(run);
    } catch (error) {
      if (this.#isStopped) return;
      if (this.run.peek() === undefined) this.error.value = error;
      else this.#readIn(READ_ENDED_EVERY_MS);
    }
  }

  async #readKinds(): Promise<void> {
    const count = this.model.steps.length;
    if (count === 0 || count > MAX_STEPS_FOR_KINDS || count === this.#stepsOfKnownKind) return;
    try {
      this.model.setKinds(await client.peek().getSteps(this.id));
      this.#stepsOfKnownKind = count;
      this.version.value++;
    } catch {
      // The kinds are an ornament of the timeline.
    }
  }
}
