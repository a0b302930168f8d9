import type { RecordedStatement } from '../../../support/dialects/recording-dialect.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { idle } from '../../../support/idle.ts';
import type { InstanceOptions, World } from '../../../support/world.ts';

/** An instance whose clock stands still: it polls, sends heartbeats and flushes only when the test lets time pass. */
export async function counted(world: World, options: InstanceOptions = {}) {
  const clock = new FakeClock();
  const { durably, statements } = await world.start({ clock, ...options });
  /** The statements of a task, until nothing is under way. */
  const during = async (task: () => unknown): Promise<RecordedStatement[]> => {
    await idle();
    const before = statements.length;
    await task();
    await idle();
    return withoutChores(statements.slice(before));
  };
  return { durably, clock, during };
}

/** What a worker says of itself. It leaves with a claim. */
export const NOTES = 'durably_workers';
/** Runs below cancelled ones are looked for soon after a start. */
const CANCELLATIONS = 'order by o.cancels_below';

/** Without what a worker does now and then, whatever a test does. */
export function withoutChores(
  statements: readonly RecordedStatement[],
  chores: readonly string[] = [NOTES, CANCELLATIONS],
): RecordedStatement[] {
  const isChore = ({ sql }: RecordedStatement) => chores.some((chore) => sql.includes(chore));
  const trips = new Set(statements.filter(isChore).map(({ trip }) => trip));
  return statements.filter((one) => !isChore(one) && !(isTouch(one) && trips.has(one.trip)));
}

/** It goes along with a read. */
function isTouch({ sql }: RecordedStatement): boolean {
  return sql.startsWith('update durably_schema_versions set applied_at');
}
