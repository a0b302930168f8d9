import * as z from 'zod';
import type { DurablyService } from '../core/durably.ts';
import type { EventCursor } from '../core/feeds.ts';
import type { Run } from '../core/run.ts';
import type { Guard, RunOperation } from './guard.ts';
import type { JsonAnswer } from './json-answer.ts';
import type { Problem, ProblemCode } from './problem.ts';

/** What an operation does. It is also its section in openapi.yaml. */
export type Effect = 'trigger' | 'read' | 'write' | 'work';

/** The answer of an operation that opens a stream. */
export type EventsAnswer =
  | {
      readonly kind: 'open';
      readonly cursor: EventCursor;
      /** The sequence where the stream starts, if the caller did not give one. */
      readonly head?: number;
    }
  /** The stream has ended, and the client should not reconnect. */
  | { readonly kind: 'ended' };

/** Where an operation's input comes from, and its schema. */
export type OperationInput<TInput extends z.ZodObject = z.ZodObject> =
  | { readonly from: 'query' | 'body'; readonly schema: TInput }
  /** Some members come from the query, the others from the body. */
  | {
      readonly from: 'both';
      readonly schema: TInput;
      readonly query: z.ZodObject;
      readonly body: z.ZodObject;
    };

/** The input of an operation that has a query and a body. */
export function queryAndBody<Q extends z.ZodRawShape, B extends z.ZodRawShape>(
  query: z.ZodObject<Q>,
  body: z.ZodObject<B>,
) {
  return { from: 'both', schema: z.object({ ...query.shape, ...body.shape }), query, body } as const;
}

interface OperationBase<TName extends string, TInput extends z.ZodObject> {
  /** The name of the operation's handler. */
  readonly name: TName;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** The path below the base path. */
  readonly path: `/${string}`;
  readonly summary: string;
  readonly effect: Effect;
  /** The `auth` hook that decides on the operation. Every operation must name one. */
  readonly guard: Guard<z.output<TInput>>;
  readonly input: OperationInput<TInput>;
  /** The problems it may answer with, besides invalid input and server errors. */
  readonly refusals: readonly ProblemCode[];
}

/** Asks `onRunAccess` about a run that was found by a trigger's idempotency key or by a filter. */
export type AllowRun = (run: Run, operation: RunOperation) => Promise<void>;

export interface JsonOperation<
  TName extends string = string,
  TInput extends z.ZodObject = z.ZodObject,
  TOutput extends z.ZodType = z.ZodType,
> extends OperationBase<TName, TInput> {
  readonly answers: 'json';
  readonly output: TOutput;
  /** The header `Idempotency-Key` is its `idempotencyKey`. */
  readonly takesIdempotencyKey?: true;
  act(
    durably: DurablyService,
    input: z.output<TInput>,
    /** Rejects if the caller may not see or change a run whose id it did not give. Undefined if nothing decides on runs. */
    allowRun: AllowRun | undefined,
    /** What the caller is told of an error, for an operation that answers each of its parts. A fault of the service is reported. */
    tell: (error: unknown) => Problem,
  ): Promise<z.input<TOutput> | JsonAnswer>;
}

export interface EventsOperation<TName extends string = string, TInput extends z.ZodObject = z.ZodObject>
  extends OperationBase<TName, TInput> {
  readonly answers: 'events';
  /** The schema of one frame's data. */
  readonly output: z.ZodType;
  act(durably: DurablyService, input: z.output<TInput>): Promise<EventsAnswer>;
}

/**
 * One operation of the HTTP interface. Handlers, routes, openapi.yaml and tests are made from the table of all
 * operations (`operations/index.ts`).
 */
export type Operation = JsonOperation | EventsOperation;

/** Declares an operation that answers with JSON. */
export function jsonOperation<
  const TName extends string,
  TInput extends z.ZodObject,
  TOutput extends z.ZodType,
>(operation: Omit<JsonOperation<TName, TInput, TOutput>, 'answers'>): JsonOperation<TName, TInput, TOutput> {
  return { ...operation, answers: 'json' };
}

/** Declares an operation that answers with a stream of events. */
export function eventsOperation<const TName extends string, TInput extends z.ZodObject>(
  operation: Omit<EventsOperation<TName, TInput>, 'answers'>,
): EventsOperation<TName, TInput> {
  return { ...operation, answers: 'events' };
}
