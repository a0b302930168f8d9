import pc from 'picocolors';
import { expect, it } from 'vitest';
import { MAX_RUNS_BELOW, readRunTree } from '../../src/cli/run-tree.ts';
import { treeLines } from '../../src/cli/view/run-tree.ts';
import { sampleRun } from '../http/fake-durably.ts';

/** A service in which the first run has started many, and each of these one more. */
function serviceWith(children: number) {
  let [asked, mostAtOnce, underWay] = [0, 0, 0];
  const counted = async <T>(answer: T): Promise<T> => {
    asked++;
    mostAtOnce = Math.max(mostAtOnce, ++underWay);
    await Promise.resolve();
    underWay--;
    return answer;
  };
  const idsBelow = (id: string) => {
    if (id === 'run_top') return Array.from({ length: children }, (_, i) => `run_${i}`).reverse();
    return id.endsWith('_below') ? [] : [`${id}_below`];
  };
  return {
    client: {
      getRun: async (id: string) => await counted({ ...sampleRun, id }),
      getSteps: async () => await counted([]),
      getRunsPage: async ({ parentRunId, limit }: { parentRunId: string; limit: number }) => {
        const ids = idsBelow(parentRunId);
        const runs = ids.slice(0, limit).map((id) => ({ ...sampleRun, id }));
        return await counted({ runs, nextCursor: ids.length > limit ? 'more' : null });
      },
    },
    counts: () => ({ asked, mostAtOnce }),
  };
}

it('shows all runs below one in their order', async () => {
  const tree = await readRunTree(serviceWith(3).client, 'run_top');
  expect(tree.children.map(({ run }) => run.id)).toEqual(['run_0', 'run_1', 'run_2']);
  expect(tree.children[0]?.children[0]?.run.id).toBe('run_0_below');
  expect(treeLines(tree, pc.createColors(false)).join('\n')).not.toContain('more');
});

it('stops after so many runs, asks for one at a time, and says how to see the others', async () => {
  const { client, counts } = serviceWith(5_000);
  const tree = await readRunTree(client, 'run_top');
  expect(tree.children).toHaveLength(MAX_RUNS_BELOW);
  expect(counts()).toEqual({ asked: 3 * (MAX_RUNS_BELOW + 1), mostAtOnce: 1 });
  expect(treeLines(tree, pc.createColors(false)).at(-1)).toContain('more: durably runs --parent run_top');
});
