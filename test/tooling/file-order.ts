import type { TestSpecification } from 'vitest/node';
import { BaseSequencer } from 'vitest/node';

/** Files whose tests wait most of the time: for processes, locks and limits in real time. */
const WAITING =
  /\/test\/(chaos|docs|entry|examples|runtime|app\/service)\/|\/remote\/(outage|service)|\/(waiting-callers|locked-stop)\.test/;

/**
 * Spreads the files that wait among those that compute, so that the cores are busy at any time. Of each kind, those
 * that took longest come first.
 */
export class FileOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    // A file with a worker of its own would end a shared worker if it came between two files of that.
    const isolated = sorted.filter(({ project }) => project.config.isolate);
    const shared = sorted.filter(({ project }) => !project.config.isolate);
    const waiting = shared.filter(({ moduleId }) => WAITING.test(moduleId));
    const computing = shared.filter(({ moduleId }) => !WAITING.test(moduleId));
    return [...isolated, ...spread(waiting, computing)];
  }
}

/** Both lists in their order, the first one at equal distances in the second. */
export function spread<T>(few: readonly T[], many: readonly T[]): T[] {
  const placed = [few, many].flatMap((list) => list.map((value, i) => ({ value, place: i / list.length })));
  return placed.sort((one, other) => one.place - other.place).map(({ value }) => value);
}
