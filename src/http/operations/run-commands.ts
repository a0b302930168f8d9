import * as z from 'zod';
import type { DurablyService } from '../../core/durably.ts';
import type { RunCommand } from '../../core/run.ts';
import { guardRun } from '../guard.ts';
import { runIdParam } from '../inputs/params.ts';
import { jsonOperation, type Operation } from '../operation.ts';
import { successSchema } from '../schemas.ts';

interface Command<TName extends RunCommand> {
  readonly name: TName;
  readonly method: Operation['method'];
  readonly path: Operation['path'];
  readonly summary: string;
  readonly send: (durably: DurablyService, runId: string) => Promise<unknown>;
}

/** An operation that changes one run, if the run's status allows it. */
function commandOperation<const TName extends RunCommand>({
  name,
  method,
  path,
  summary,
  send,
}: Command<TName>) {
  return jsonOperation({
    name,
    method,
    path,
    summary,
    effect: 'write',
    guard: guardRun(name),
    input: { from: 'query', schema: z.object({ runId: runIdParam }) },
    output: successSchema,
    refusals: ['NOT_FOUND', 'CONFLICT'],
    async act(durably, { runId }) {
      await send(durably, runId);
      return { success: true as const };
    },
  });
}

export const retry = commandOperation({
  name: 'retry',
  method: 'POST',
  path: '/retry',
  summary: 'Run a failed or cancelled run again. Its finished steps are kept',
  send: (durably, runId) => durably.retry(runId),
});

export const cancel = commandOperation({
  name: 'cancel',
  method: 'POST',
  path: '/cancel',
  summary: 'Cancel a pending, waiting or running run',
  send: (durably, runId) => durably.cancel(runId),
});

export const deleteRun = commandOperation({
  name: 'delete',
  method: 'DELETE',
  path: '/run',
  summary: 'Delete a finished run with its steps, logs and events',
  send: (durably, runId) => durably.deleteRun(runId),
});
