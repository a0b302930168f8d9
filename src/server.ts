/** The door `durably/server`: the HTTP interface as web-standard handlers. */
export type { DurablyAuth } from './http/auth.ts';
export { createDurablyHandler, type DurablyHandler } from './http/create-handler.ts';
export type { ManageTarget, RunOperation } from './http/guard.ts';
export type { CreateDurablyHandlerOptions } from './http/pipeline.ts';
export { type ProblemCode, RequestError } from './http/problem.ts';
