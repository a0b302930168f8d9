import type { DurablyService } from '../core/durably.ts';
import { ValidationError } from '../core/errors/errors.ts';
import { checkOptions } from '../core/validation/option-types.ts';
import { shownValue } from '../core/validation/shown-value.ts';
import { type OperationName, operations } from './operations/index.ts';
import { type CreateDurablyHandlerOptions, createPipeline, HANDLER_OPTIONS } from './pipeline.ts';
import { selectOperation } from './routing.ts';

/**
 * One handler per operation. Each uses only the request's query, headers and body, so any router can mount it
 * at any path.
 */
export type DurablyHandler = {
  readonly [N in OperationName]: (request: Request) => Promise<Response>;
} & {
  /**
   * Answers any request below `basePath`: 404 for an unknown path, 405 with `Allow` for a wrong method.
   *
   * @throws {ValidationError} if there is no base path. All other errors become answers.
   */
  handle(request: Request, basePath: string): Promise<Response>;
};

/**
 * The HTTP interface of a durably instance, as web-standard handlers.
 *
 * @throws {ValidationError} for a bad option.
 * @example
 * const handler = createDurablyHandler(durably, { onRequest: () => durably.init() })
 * export const loader = ({ request }: { request: Request }) => handler.handle(request, '/api/durably')
 */
export function createDurablyHandler<TContext = unknown>(
  durably: DurablyService,
  options: CreateDurablyHandlerOptions<TContext> = {},
): DurablyHandler {
  checkOptions('createDurablyHandler option', options, HANDLER_OPTIONS);
  const answer = createPipeline(durably, options);
  const handlers = Object.fromEntries(
    operations.map((operation) => [
      operation.name,
      (request: Request) => answer({ request, select: () => operation }),
    ]),
  ) as Record<OperationName, (request: Request) => Promise<Response>>;
  return {
    ...handlers,
    async handle(request, basePath) {
      if (typeof request?.method !== 'string') {
        throw new ValidationError(`handle must be given a Request, not ${shownValue(request)}`);
      }
      if (typeof basePath !== 'string') {
        throw new ValidationError(
          `handle(request, basePath) must be given the base path, such as "/api/durably", not ${shownValue(basePath)}`,
        );
      }
      return await answer({ request, select: (received) => selectOperation(received, basePath) });
    },
  };
}
