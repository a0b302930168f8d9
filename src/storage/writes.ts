import type { Clock } from '../core/clock.ts';
import type { TimeUpError } from './deadlines.ts';

/** SQL and its parameters. */
export interface Sql {
  readonly sql: string;
  readonly parameters: readonly (string | number)[];
}

export type Rows = readonly Readonly<Record<string, unknown>>[];

/** One kind of write: how its members become statements, and what the answers mean to each. */
export interface WriteKind<M, R> {
  readonly name: string;
  /** Kinds leave in this order. */
  readonly place: number;
  readonly sizeOf: (member: M) => WriteSize;
  /**
   * Called when the members leave, and again whenever they leave again: what it answers
   * must be harmless then.
   */
  readonly compile: (members: readonly M[], sending: Sending) => CompiledWrites<R>;
}

export interface WriteSize {
  readonly rows: number;
  readonly chars: number;
}

export interface Sending {
  /** Some of the members were sent before and may be stored since. */
  readonly isSentAgain: boolean;
  /** Which of them, in their order. */
  readonly sentAgain: readonly boolean[];
  /** Nothing that came before waits for a later request. */
  readonly seesAll: boolean;
  /** Several statements are one transaction. Without that they are executed one after another. */
  readonly isBatch: boolean;
  /** A read that goes along saves a round trip. */
  readonly isRemote: boolean;
}

export interface CompiledWrites<R> {
  /** None if there is nothing to do after all. */
  readonly statements: readonly Sql[];
  /** The members' results in order. */
  readonly decode: (answers: readonly Rows[]) => readonly R[];
}

/** What became of a sending that failed. */
export type SendFailure =
  /** The first deadline has passed, and nothing was executed. */
  | { readonly kind: 'time-up'; readonly error: TimeUpError }
  /** The answer was lost, so it may have been executed. */
  | { readonly kind: 'lost'; readonly error: unknown }
  /** The answers together were too large, so nothing was executed; alone it may be the server that is short of room. */
  | { readonly kind: 'too-large'; readonly error: unknown }
  /** The database was busy, and nothing was executed. */
  | { readonly kind: 'busy'; readonly error: unknown }
  /** A statement or a parameter would fail again. Nothing was executed. */
  | { readonly kind: 'refused'; readonly error: unknown; readonly statementIndex: number | undefined }
  /** The database can't be written to, in general or by one of these statements: a disk may have room for a small one. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly scope: 'all' | 'statement' };

/** The way to a backend. */
export interface WritePort {
  readonly clock: Clock;
  /** Whether several statements can be sent in one transaction. */
  readonly sendsBatches: boolean;
  /** Whether the caller of a write can be answered while the write is under way. */
  readonly isRemote: boolean;
  /** Sends statements once, in one transaction where it can. Answers with the rows of each. */
  send(statements: readonly Sql[], options: { readonly deadlineMs: number | undefined }): Promise<Rows[]>;
  /** What an error of `send` means. */
  judge(error: unknown): SendFailure | Promise<SendFailure>;
  /** Called when the answer was lost so long that callers are told. */
  noteGivenUp(): void;
}
