import type { Clock } from '../core/time/clock.ts';
import type { TimeUpError } from './deadlines.ts';

/** SQL and its parameters. */
export interface Sql {
  readonly sql: string;
  readonly parameters: readonly (string | number)[];
  /** `read` for a statement that is sent with a write. Its rows don't show whether the write succeeded. */
  readonly kind?: 'read' | 'write' | undefined;
}

export type Rows = readonly Readonly<Record<string, unknown>>[];

/** One kind of write. It turns its members into statements, and the answers into a result for each member. */
export interface WriteKind<M, R> {
  readonly name: string;
  /** Kinds leave in this order. */
  readonly place: number;
  readonly sizeOf: (member: M) => WriteSize;
  /**
   * Makes the statements when the members leave. It is called again each time they leave again, so
   * executing its statements twice must be harmless.
   */
  readonly compile: (members: readonly M[], sending: Sending) => CompiledWrites<R>;
}

export interface WriteSize {
  readonly rows: number;
  readonly chars: number;
}

export interface Sending {
  /** Some of the members were sent before, and may have been stored by that. */
  readonly isSentAgain: boolean;
  /** Which of them, in the order of the members. */
  readonly sentAgain: readonly boolean[];
  /** The answer of an earlier sending was too large. The statements are to ask for as little as they can. */
  readonly asksLess: boolean;
  /** No write that was submitted earlier is left for a later request. */
  readonly seesAll: boolean;
  /** Several statements are one transaction. Otherwise they are executed one after another. */
  readonly isBatch: boolean;
  /** The database is reached over a network, so a read that goes along saves a round trip. */
  readonly isRemote: boolean;
}

export interface CompiledWrites<R> {
  /** Empty if nothing needs to be done. */
  readonly statements: readonly Sql[];
  /** The members' results in order. */
  readonly decode: (answers: readonly Rows[]) => readonly R[];
}

/** What a failed sending means. */
export type SendFailure =
  /** The first deadline has passed, and nothing was executed. */
  | { readonly kind: 'time-up'; readonly error: TimeUpError }
  /** The answer was lost, so it may have been executed. */
  | { readonly kind: 'lost'; readonly error: unknown }
  /**
   * The answers were too large together, and nothing was executed. If a single answer is too large,
   * the server may be short of memory.
   */
  | { readonly kind: 'too-large'; readonly error: unknown }
  /** The database was busy, and nothing was executed. */
  | { readonly kind: 'busy'; readonly error: unknown }
  /** A statement or a parameter would fail again. Nothing was executed. */
  | { readonly kind: 'refused'; readonly error: unknown; readonly statementIndex: number | undefined }
  /**
   * The database refuses writes: all of them, or only these statements, because a full disk may have
   * room for smaller ones.
   */
  | { readonly kind: 'failed'; readonly error: unknown; readonly scope: 'all' | 'statement' };

/** A backend's connection for writes. */
export interface WritePort {
  readonly clock: Clock;
  /** Whether several statements can be sent in one transaction. */
  readonly sendsBatches: boolean;
  /** Whether the caller of a write can be answered while the write is under way. */
  readonly isRemote: boolean;
  /** Sends statements once, in one transaction where it can. Answers with the rows of each. */
  send(statements: readonly Sql[], options: { readonly deadlineMs: number | undefined }): Promise<Rows[]>;
  /** Says what an error of `send` means. */
  judge(error: unknown): SendFailure | Promise<SendFailure>;
  /** Called when callers are answered because the database was out of reach for too long. */
  noteGivenUp(): void;
}
