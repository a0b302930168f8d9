import type { Run, Step } from '../client.ts';
import { UsageError } from './exit.ts';
import type { RunTree } from './view/run-tree.ts';

const MAX_DEPTH = 5;
/** How many runs below the first one a tree has at most. Each costs three requests. */
export const MAX_RUNS_BELOW = 200;

/** The part of a client that reads a tree. */
interface TreeReader {
  getRun(runId: string): Promise<Run | null>;
  getSteps(runId: string): Promise<Step[]>;
  getRunsPage(filter: {
    readonly parentRunId: string;
    readonly fields: readonly ['id'];
    readonly limit: number;
  }): Promise<{ readonly runs: readonly Pick<Run, 'id'>[]; readonly nextCursor: string | null }>;
}

/**
 * A run, its steps and the runs below it.
 *
 * @throws {UsageError} if there is no such run.
 */
export async function readRunTree(client: TreeReader, runId: string): Promise<RunTree> {
  let left = MAX_RUNS_BELOW;
  const read = async (id: string, depth: number): Promise<RunTree> => {
    const run = await client.getRun(id);
    if (run === null) throw new UsageError(`there is no run ${id}`);
    const steps = await client.getSteps(id);
    const page = await client.getRunsPage({ parentRunId: id, fields: ['id'], limit: MAX_RUNS_BELOW });
    const shown = depth < MAX_DEPTH ? page.runs.slice(0, left) : [];
    left -= shown.length;
    const children: RunTree[] = [];
    // A list has the newest first.
    for (const child of [...shown].reverse()) children.push(await read(child.id, depth + 1));
    const hasMoreChildren = page.nextCursor !== null || shown.length < page.runs.length;
    return { run, steps, children, hasMoreChildren };
  };
  return await read(runId, 0);
}
