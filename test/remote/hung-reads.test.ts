import { describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../src/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { idle } from '../support/idle.ts';
import { quiet, type RemoteOptions, startRemote } from '../support/remote.ts';
import { rejectionOf } from '../support/runs.ts';
import { until } from '../support/until.ts';

const CALLERS = 12;

/** An instance whose server has stopped answering. */
async function hung(options: RemoteOptions) {
  const { open, server } = await startRemote();
  const clock = new FakeClock();
  const durably = open({ clock, ...options });
  await durably.migrate();
  expect(await durably.getRun('none')).toBeNull();
  await quiet(server);
  server.fault = () => ({ kind: 'hang', when: 'before' });
  const asked = Array.from({ length: CALLERS }, () => rejectionOf(durably.getRun('none')));
  await until(() => server.underWay === 4);
  /** Lets time pass, and everything happen that follows from it. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 250) {
      clock.advance(250);
      await idle();
    }
  };
  return { durably, server, asked, pass };
}

describe.each(['http', 'ws'] as const)('reads of a server that hangs, over %s', (protocol) => {
  test('are ended when they are given up, so that it never has more than four of them', async () => {
    const { durably, server, asked, pass } = await hung({ protocol, opener: 'openRemote' });
    for (let given = 4; given <= 8; given += 4) {
      await pass(5_000);
      await until(() => server.abandoned === given);
    }
    for (const error of await Promise.all(asked)) expect(error).toBeInstanceOf(DatabaseUnavailableError);
    await until(() => server.underWay <= 4);
    server.fault = () => ({ kind: 'none' });
    await pass(5_000);
    expect(await durably.getRun('none')).toBeNull();
    expect(server.underWay).toBe(0);
  });

  test('keep their place until sixteen seconds have passed if the client cannot end them', async () => {
    const { durably, server, asked, pass } = await hung({ protocol });
    const sent = server.requests;
    await pass(10_000);
    for (const error of await Promise.all(asked)) expect(error).toBeInstanceOf(DatabaseUnavailableError);
    await quiet(server, { underWay: 4 });
    void durably.getRun('none').catch(() => undefined);
    await pass(5_750);
    await quiet(server, { underWay: 4 });
    expect(server.requests).toBe(sent);
    await pass(250);
    await until(() => server.requests === sent + 1);
  });
});
