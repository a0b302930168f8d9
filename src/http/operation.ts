import type { z } from 'zod';
import type { DurablyService, EventCursor } from '../core/durably.ts';
import type { Run } from '../core/run.ts';
import type { Guard } from './guard.ts';
import type { JsonAnswer } from './json-answer.ts';
import type { ProblemCode } from './problem.ts';

/** The operation's section in openapi.yaml. */
export type Access = 'trigger' | 'read' | 'write' | 'work';

/** An operation's input, validated by its schema. */
type OperationInput = Record<string, unknown>;

/** What an operation with a stream answers. */
export type EventsAnswer =
  | {
      readonly kind: 'open';
      readonly cursor: EventCursor;
      /** The sequence the stream starts from, when the caller doesn't know it yet. */
      readonly head?: number;
    }
  /** The stream is over, and the client should not reconnect. */
  | { readonly kind: 'ended' };

interface OperationBase<TName extends string, TInput extends z.ZodObject> {
  /** The name of its handler. */
  readonly name: TName;
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below the base path. */
  readonly path: `/${string}`;
  readonly summary: string;
  readonly access: Access;
  /** Which hooks of `auth` decide on it. Required. */
  readonly guard: Guard<z.output<TInput>>;
  /** Where its input comes from, and what it must be. */
  readonly input: { readonly from: 'query' | 'body'; readonly schema: TInput };
  /** What it may refuse with beyond bad input and faults of the server. */
  readonly refusals: readonly ProblemCode[];
}

/** Asks `onRunAccess` about a run that a trigger came upon. */
export type AllowRun = (run: Run) => Promise<void>;

export interface JsonOperation<
  TName extends string = string,
  TInput extends z.ZodObject = z.ZodObject,
  TOutput extends z.ZodType = z.ZodType,
> extends OperationBase<TName, TInput> {
  readonly answers: 'json';
  readonly output: TOutput;
  act(
    durably: DurablyService,
    input: z.output<TInput>,
    /** Rejects unless the caller may be told of a run that it did not ask for by its id. */
    allowRun: AllowRun,
  ): Promise<z.input<TOutput> | JsonAnswer>;
}

export interface EventsOperation<TName extends string = string, TInput extends z.ZodObject = z.ZodObject>
  extends OperationBase<TName, TInput> {
  readonly answers: 'events';
  /** What the data of one frame holds. */
  readonly output: z.ZodType;
  act(durably: DurablyService, input: z.output<TInput>): Promise<EventsAnswer>;
}

/**
 * One thing that callers can ask for. Handlers, routes, openapi.yaml and tests are made
 * from the table of all operations (`operations/index.ts`).
 */
export type Operation = JsonOperation | EventsOperation;

export function jsonOperation<
  const TName extends string,
  TInput extends z.ZodObject,
  TOutput extends z.ZodType,
>(operation: Omit<JsonOperation<TName, TInput, TOutput>, 'answers'>): JsonOperation<TName, TInput, TOutput> {
  return { ...operation, answers: 'json' };
}

export function eventsOperation<const TName extends string, TInput extends z.ZodObject>(
  operation: Omit<EventsOperation<TName, TInput>, 'answers'>,
): EventsOperation<TName, TInput> {
  return { ...operation, answers: 'events' };
}
