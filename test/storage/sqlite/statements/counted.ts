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
    return statements.slice(before);
  };
  return { durably, clock, during };
}
