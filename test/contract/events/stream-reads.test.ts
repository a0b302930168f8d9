import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo } from '../../support/jobs.ts';
import { readAll, rejectionOf } from '../../support/runs.ts';
import { until } from '../../support/until.ts';

contract('a stream', (test) => {
  test('causes no query before it is opened, after it is cancelled and after its end', async ({ world }) => {
    const clock = new FakeClock();
    const { durably, statements } = await world.idle({ clock });
    const expectQuiet = async () => {
      await idle();
      const before = statements.length;
      clock.advance(10_000);
      await idle();
      expect(statements.length).toBe(before);
    };
    const run = await durably.register({ echo }).echo.trigger(0);
    await expectQuiet();

    const reader = durably.subscribe(run.id).getReader();
    await reader.read();
    const waiting = reader.read();
    await idle();
    const before = statements.length;
    clock.advance(250);
    await until(() => statements.length > before);
    await reader.cancel();
    expect((await waiting).done).toBe(true);
    await expectQuiet();

    const left = durably.subscribe(run.id).getReader();
    await left.read();
    await left.cancel();
    await expectQuiet();

    await durably.cancel(run.id);
    await readAll(durably.subscribe(run.id));
    await expectQuiet();
    await rejectionOf(readAll(durably.subscribe('run_unknown')));
    await expectQuiet();
  });

  test('reads new events together with the other streams of its instance', async ({ world }) => {
    const clock = new FakeClock();
    const { durably, statements } = await world.idle({ clock });
    const run = await durably.register({ echo }).echo.trigger(0);
    const readers = Array.from({ length: 50 }, () => durably.subscribe(run.id).getReader());
    for (const reader of readers) expect((await reader.read()).value?.type).toBe('run:trigger');
    const waiting = readers.map((reader) => reader.read());
    await idle();
    const before = statements.length;
    clock.advance(250);
    await until(() => statements.length > before);
    await idle();
    expect(statements.length).toBe(before + 1);
    await durably.cancel(run.id);
    await until(() => {
      clock.advance(5);
      return statements.length >= before + 3;
    });
    for (const read of await Promise.all(waiting)) expect(read.value?.type).toBe('run:cancel');
    for (const reader of readers) await reader.cancel();
  });
});
