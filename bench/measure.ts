import { onFreshDatabase, readSettings } from './contenders/fresh.ts';
import { type ContenderName, loadContender } from './contenders/index.ts';
import type { Figures, MeasureRequest } from './protocol.ts';
import { workloads } from './workloads/index.ts';

/** Runs one round of a workload with one contender, in this process. */
export async function measure({ workload, contender, scale, folder }: MeasureRequest): Promise<Figures> {
  const found = workloads.find(({ id }) => id === workload);
  if (found?.measure === undefined) throw new Error(`nothing to measure in ${workload}`);
  return await found.measure(await loadContender(contender), scale, folder);
}

/** The settings as the contender's own connection reports them. */
export async function describe({ contender, folder }: { contender: ContenderName; folder: string }) {
  return await onFreshDatabase(await loadContender(contender), { folder }, readSettings);
}
