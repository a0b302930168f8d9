import type { RunEvent } from './run-stream.ts';

export interface Evidence {
  /** The events that the two connections received while the run went on. */
  readonly seen: readonly RunEvent[];
  /** All events of the run, read again after its end. */
  readonly replayed: readonly RunEvent[];
  /** The names of the stored steps. */
  readonly stepNames: readonly string[];
  /** The number of steps that the import must have. */
  readonly expectedSteps: number;
}

/** Returns the contradictions to "every step ran to its end exactly once, and no event was missed or doubled". */
export function findContradictions({ seen, replayed, stepNames, expectedSteps }: Evidence): string[] {
  const found: string[] = [];
  const completed = replayed.filter(({ type }) => type === 'step:complete').map(({ stepName }) => stepName);
  for (const name of new Set(stepNames)) {
    const times = completed.filter((each) => each === name).length;
    if (times !== 1) found.push(`step "${name}" completed ${times} times`);
  }
  if (stepNames.length !== expectedSteps) found.push(`${stepNames.length} steps, not ${expectedSteps}`);
  if (completed.length !== expectedSteps) found.push(`${completed.length} step:complete events`);
  for (const name of startedAgain(replayed)) found.push(`step "${name}" was started after it had completed`);
  const sequences = (events: readonly RunEvent[]) => events.map(({ sequence }) => sequence).join();
  if (sequences(seen) !== sequences(replayed)) found.push('the live streams and the replay differ');
  return found;
}

function startedAgain(events: readonly RunEvent[]): string[] {
  const done = new Set<string>();
  const again: string[] = [];
  for (const { type, stepName } of events) {
    if (typeof stepName !== 'string') continue;
    if (type === 'step:complete') done.add(stepName);
    if (type === 'step:start' && done.has(stepName)) again.push(stepName);
  }
  return again;
}
