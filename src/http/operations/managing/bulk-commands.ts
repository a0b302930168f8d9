import type { DurablyService } from '../../../core/durably.ts';
import type { BulkFilter, BulkOptions, BulkResult } from '../../../core/managing/run-bulk.ts';
import type { RunCommand } from '../../../core/run.ts';
import { bulkEnvelope, bulkFilterOf, guardBulk } from '../../inputs/run-filter.ts';
import { jsonOperation, type Operation } from '../../operation.ts';
import { bulkResultSchema } from '../../schemas.ts';

interface BulkCommand<TName extends string> {
  readonly name: TName;
  readonly command: RunCommand;
  readonly path: Operation['path'];
  readonly summary: string;
  readonly send: (
    durably: DurablyService,
    filter: BulkFilter,
    options: BulkOptions | undefined,
  ) => Promise<BulkResult>;
}

/** An operation that changes the runs that match a filter. */
function bulkOperation<const TName extends string>({
  name,
  command,
  path,
  summary,
  send,
}: BulkCommand<TName>) {
  return jsonOperation({
    name,
    method: 'POST',
    path,
    summary,
    effect: 'write',
    guard: guardBulk,
    input: { from: 'body', schema: bulkEnvelope },
    output: bulkResultSchema,
    refusals: [],
    async act(durably, input, allowRun) {
      const options = allowRun && { allow: (run: Parameters<typeof allowRun>[0]) => allowRun(run, command) };
      return await send(durably, bulkFilterOf(input), options);
    },
  });
}

export const cancelRuns = bulkOperation({
  name: 'cancelRuns',
  command: 'cancel',
  path: '/runs/cancel',
  summary: 'Cancel the pending, waiting and running runs that match, and the active runs below them',
  send: (durably, filter, options) => durably.cancelRuns(filter, options),
});

export const retryRuns = bulkOperation({
  name: 'retryRuns',
  command: 'retry',
  path: '/runs/retry',
  summary: 'Run the failed and cancelled runs that match again. Their finished steps are kept',
  send: (durably, filter, options) => durably.retryRuns(filter, options),
});

export const deleteRuns = bulkOperation({
  name: 'deleteRuns',
  command: 'delete',
  path: '/runs/delete',
  summary: 'Delete the ended runs that match, with their steps, logs and events',
  send: (durably, filter, options) => durably.deleteRuns(filter, options),
});
