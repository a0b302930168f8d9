import type { ContenderName } from './contenders/index.ts';

/** What one round tells, by metric. */
export type Figures = Readonly<Record<string, number>>;

/** Whose HTTP interface a process serves. */
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
  readonly worker: 'on' | 'off';
}

/** When something happened, ms since the epoch, by event: its type and its run. */
export type EventTimes = Readonly<Record<string, number>>;

export interface Traffic {
  readonly url: string;
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly body?: string | undefined;
  readonly connections: number;
  /** Ends after so many requests, or after so long. */
  readonly requests?: number | undefined;
  readonly durationMs?: number | undefined;
}

export interface TrafficFigures {
  readonly answered: number;
  readonly perSecond: number;
  readonly p50Ms: number;
}

/** What a process of the benchmark can be asked to do. */
export interface Roles {
  describe(request: { contender: ContenderName; folder: string }): Promise<Readonly<Record<string, unknown>>>;
  measure(request: MeasureRequest): Promise<Figures>;
  seed(request: { contender: ContenderName; file: string; runs: number }): Promise<void>;
  serve(request: ServeRequest): Promise<string>;
  stopServing(): Promise<void>;
  storedRuns(request: {
    contender: ContenderName;
    file: string;
  }): Promise<{ all: number; completed: number }>;
  memoryKb(): Promise<number>;
  peakMemoryKb(): Promise<number>;
  readEmitted(): Promise<EventTimes>;
  startSqld(request: { file: string; latencyMs: number }): Promise<string>;
  stopSqld(): Promise<number>;
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
