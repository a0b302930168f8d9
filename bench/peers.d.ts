/**
 * The parts of the peers that the benchmark uses, declared here so that its code type-checks where the peers
 * are not installed.
 */

declare module '@coji/durably' {
  import type { z } from 'zod';

  interface Job {
    readonly name: string;
  }
  interface StepContext {
    run<T>(name: string, task: () => Promise<T>): Promise<T>;
  }
  interface JobHandle {
    trigger(input: unknown): Promise<{ readonly id: string }>;
    batchTrigger(inputs: readonly unknown[]): Promise<readonly { readonly id: string }[]>;
  }
  interface Durably<K extends string> {
    readonly jobs: Record<K, JobHandle>;
    readonly db: {
      executeQuery(query: object): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
      destroy(): Promise<void>;
    };
    migrate(): Promise<void>;
    start(): void;
    stop(): Promise<void>;
    on(type: 'worker:error', listener: (event: { readonly error: unknown }) => void): void;
    on(type: 'run:trigger' | 'run:complete', listener: (event: { readonly runId: string }) => void): void;
  }
  export function defineJob(definition: {
    readonly name: string;
    readonly input: z.ZodType;
    readonly run: (step: StepContext) => Promise<unknown>;
  }): Job;
  export function createDurably<K extends string>(options: {
    readonly dialect: object;
    readonly jobs: Record<K, Job>;
    readonly maxConcurrentRuns?: number;
  }): Durably<K>;
  export function createDurablyHandler(durably: Durably<string>): {
    handle(request: Request, basePath: string): Promise<Response>;
  };
}

declare module 'openworkflow' {
  import type { BackendSqlite } from 'openworkflow/sqlite';

  interface StepContext {
    run<T>(options: { readonly name: string }, task: () => Promise<T>): Promise<T>;
  }
  interface Worker {
    start(): Promise<void>;
    stop(): Promise<void>;
  }
  export class OpenWorkflow {
    constructor(options: { readonly backend: BackendSqlite });
    defineWorkflow(
      spec: { readonly name: string },
      run: (context: { readonly step: StepContext }) => Promise<unknown>,
    ): { run(input: unknown): Promise<unknown> };
    newWorker(options: { readonly concurrency?: number }): Worker;
  }
}

declare module 'openworkflow/sqlite' {
  interface SqliteDatabase {
    prepare(sql: string): { get(): unknown };
    exec(sql: string): unknown;
  }
  export class BackendSqlite {
    static connect(path: string): BackendSqlite;
    /** Private in openworkflow's own types. */
    readonly db: SqliteDatabase;
    completeWorkflowRun(params: unknown): Promise<unknown>;
    stop(): Promise<void>;
  }
}

declare module 'plainjob' {
  import type Database from 'better-sqlite3';

  interface Logger {
    error(message: string): void;
    warn(message: string): void;
    info(message: string): void;
    debug(message: string): void;
  }
  interface Connection {
    readonly driver: string;
  }
  interface Queue {
    add(type: string, data: unknown): { readonly id: number };
    addMany(type: string, data: readonly unknown[]): { readonly ids: readonly number[] };
    close(): void;
  }
  interface Worker {
    start(): Promise<void>;
    stop(): Promise<void>;
  }
  export function better(database: Database): Connection;
  export function defineQueue(options: { readonly connection: Connection; readonly logger: Logger }): Queue;
  export function defineWorker(
    type: string,
    processor: () => Promise<void>,
    options: { readonly queue: Queue; readonly logger: Logger; readonly onCompleted: () => void },
  ): Worker;
}

declare module 'better-sqlite3' {
  class Database {
    constructor(path: string);
    prepare(sql: string): { get(): unknown };
    exec(sql: string): unknown;
  }
  export = Database;
}

declare module 'undici' {
  export class Pool {
    constructor(origin: string, options: { readonly connections: number; readonly pipelining: number });
    request(options: {
      readonly path: string;
      readonly method: 'GET' | 'POST';
      readonly headers: Record<string, string>;
      readonly body: string | null;
    }): Promise<{ readonly statusCode: number; readonly body: { text(): Promise<string> } }>;
    destroy(): Promise<void>;
  }
}
