import { newCall } from '../../../core/call.ts';
import type { ForkOptions } from '../../../core/durably.ts';
import { NotFoundError } from '../../../core/errors/errors.ts';
import { newRunId } from '../../../core/id.ts';
import { checkRunId, parseRun, type Run } from '../../../core/run.ts';
import { storableText } from '../../../core/text.ts';
import { MAX_FORK_BYTES } from '../../../core/triggers/fork.ts';
import { encodeLabels } from '../../../core/triggers/labels.ts';
import { checkMembers, type MembersOf } from '../../../core/validation/known-names.ts';
import { refusalOf, refuseMember } from '../../../core/validation/refusal.ts';
import { shownValue } from '../../../core/validation/shown-value.ts';
import { limitKeysOf } from '../../jobs/job-limits.ts';
import { newRun } from '../../jobs/new-run.ts';
import { openJson } from '../../plugins/codec.ts';
import { announceTrigger } from '../../plugins/triggering.ts';
import type { RunsDeps } from '../runs-deps.ts';

const OPTIONS: MembersOf<ForkOptions> = { from: true, input: true };

/**
 * Stores a new run like another one, in which the steps before one of its steps are already done.
 *
 * @throws {NotFoundError} for an unknown run, for a run whose job this process does not know, and for an unknown step.
 * @throws {ValidationError} for a bad option or input, and for more than can be copied at once. @throws {UnreadableError} if its input can't be decoded here.
 */
export async function fork(
  {
    store,
    registry,
    bus,
    worker,
    plugins,
    maxInputBytes,
    clock,
  }: Pick<RunsDeps, 'store' | 'registry' | 'bus' | 'worker' | 'plugins' | 'maxInputBytes' | 'clock'>,
  runId: string,
  options: ForkOptions,
): Promise<Run> {
  checkMembers('fork option', options, OPTIONS);
  const { from, input } = options ?? {};
  if (typeof from !== 'string')
    throw refusalOf([
      { path: ['from'], message: `from must be the name of a step, not ${shownValue(from)}` },
    ]);
  const call = newCall(clock);
  const source = await store.getRun(checkRunId(runId), call);
  if (source === null) throw new NotFoundError('Run not found');
  const job = registry.find(source.jobName);
  const given = input === undefined ? undefined : (await newRun(job, { input }, maxInputBytes)).payload;
  const id = newRunId();
  const { sealed, text } = source.payload;
  const payload = given ?? (await openJson(plugins.codec, sealed ?? text));
  const keys = limitKeysOf(job, payload);
  const { jobName, concurrencyKey } = source;
  const made = { id, jobName, payload, concurrencyKey, labels: encodeLabels(source.labels) };
  const pluginData = await announceTrigger(plugins, made, { kind: 'fork', sourceRunId: runId });
  const stored = given === undefined ? undefined : ((await plugins.codec?.seal(given)) ?? given);
  const storing = store.fork(
    { id, runId, from: storableText(from), payload: stored, pluginData, ...keys },
    call,
  );
  worker.wake();
  const result = await storing;
  if (result === 'not-found') throw new NotFoundError('Run not found');
  if (result === 'no-step') throw new NotFoundError(`Run ${runId} has no step "${from}"`);
  if (result === 'too-large') {
    const most = `${MAX_FORK_BYTES / 1024 ** 2} MiB`;
    throw refuseMember('from', `must have steps before it whose results are at most ${most} together`);
  }
  const note = { type: 'run:trigger', data: JSON.stringify({ forkedFrom: runId }) } as const;
  bus.publish([{ run: { runId: id, jobName }, note }]);
  const forked = await store.getRun(id, { asOf: 'now', ...call });
  if (forked === null) throw new NotFoundError('The run was deleted at once');
  return parseRun(forked);
}
