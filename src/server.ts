/** The door `durably/server`: the HTTP interface as web-standard handlers. */
export { createDurablyHandler, type DurablyHandler } from './http/create-handler.ts';
export type { CreateDurablyHandlerOptions } from './http/pipeline.ts';
