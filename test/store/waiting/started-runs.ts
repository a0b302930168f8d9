import { newRunId } from '../../../src/core/id.ts';
import type { ChildStart } from '../../../src/core/triggers/new-run.ts';
import { entry } from '../requests.ts';

/** An owner's note that a step starts a run. */
export function starts(stepName: string, changes: Partial<ChildStart> = {}) {
  const child = { id: newRunId(), jobName: 'child', concurrencyKey: null, labels: null, ...changes };
  return { child, note: entry({ type: 'step:start', stepName, stepIndex: 0, data: '{"n":1}', child }) };
}

export const waitsFor = (runId: string) =>
  entry({
    type: 'run:wait',
    data: JSON.stringify({ dueAt: null, waits: [{ kind: 'run', stepName: 'one', until: null, runId }] }),
  });
