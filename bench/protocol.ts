import type { ContenderName } from './contenders/index.ts';

/** The figures of one round, by metric. */
export type Figures = Readonly<Record<string, number>>;

/** The HTTP interface that a process serves. */
export type Served = 'bare' | 'durably' | 'durably-service' | 'coji';

export interface MeasureRequest {
  readonly workload: string;
  readonly contender: ContenderName;
  readonly scale: Readonly<Record<string, unknown>>;
  readonly folder: string;
}

export interface ServeRequest {
  readonly contender: Served;
  readonly file: string;
  /** A libSQL server to use instead of the file. */
  readonly url?: string | undefined;
  readonly authToken?: string | undefined;
  readonly worker: 'on' | 'off';
}

/** A stand-in for a libSQL server, and how fast it is. */
export interface SqldRequest {
  readonly file: string;
  readonly latencyMs?: number;
  readonly speed?: 'instant' | 'measured';
}

export interface ReadRequest {
  readonly url: string;
  readonly authToken: string | undefined;
  /** What the client asks for. Unless given, Node's `fetch` decides. */
  readonly encoding?: string;
  readonly sql: string;
  /** The only parameter. */
  readonly id: string;
  readonly reads: number;
}

/** The time of each event, ms since the epoch. The key is the event's type and run. */
export type EventTimes = Readonly<Record<string, number>>;

export interface Traffic {
  readonly url: string;
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly body?: string | undefined;
  readonly connections: number;
  /** Ends after this many requests, or after this time. */
  readonly requests?: number | undefined;
  readonly durationMs?: number | undefined;
}

export interface TrafficFigures {
  readonly answered: number;
  readonly perSecond: number;
  readonly p50Ms: number;
}

/** The status of all runs of a seeded database. */
export type SeededState = 'completed' | 'waiting';

/** The calls that a child process of the benchmark accepts. */
export interface Roles {
  describe(request: { contender: ContenderName; folder: string }): Promise<Readonly<Record<string, unknown>>>;
  measure(request: MeasureRequest): Promise<Figures>;
  seed(request: { contender: ContenderName; file: string; runs: number; state: SeededState }): Promise<void>;
  serve(request: ServeRequest): Promise<string>;
  stopServing(): Promise<void>;
  storedRuns(request: {
    contender: ContenderName;
    file: string;
  }): Promise<{ all: number; completed: number }>;
  memoryKb(): Promise<number>;
  peakMemoryKb(): Promise<number>;
  readEmitted(): Promise<EventTimes>;
  startSqld(request: SqldRequest): Promise<string>;
  stopSqld(): Promise<void>;
  timeReads(request: ReadRequest): Promise<number>;
  timeAnswers(request: { url: string; reads: number }): Promise<number>;
  openStreams(request: { url: string; count: number }): Promise<void>;
  countArrivals(): Promise<number>;
  readArrivals(emitted: EventTimes): Promise<{ isComplete: boolean; p95Ms: number }>;
  closeStreams(): Promise<void>;
  fire(traffic: Traffic): Promise<TrafficFigures>;
}

export interface Request {
  readonly id: number;
  readonly role: string;
  readonly args: readonly unknown[];
}

export type Reply =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly error: string };
