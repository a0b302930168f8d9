import { createClient } from '@libsql/client';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DatabaseUnavailableError } from '../../../../src/core/errors/errors.ts';
import { createStore } from '../../../../src/storage/sqlite/store.ts';
import { claim, newRun } from '../../../store/requests.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { startRemote } from '../../../support/remote.ts';
import { rejectionOf } from '../../../support/runs.ts';
import { deferred, until } from '../../../support/until.ts';

type Sent = 'claim' | 'payloads' | 'renewal';

function kindOf(body: string): Sent | undefined {
  if (body.includes('claim_token = ?3,')) return 'claim';
  if (body.includes('select id, fence, payload')) return 'payloads';
  return body.includes('set heartbeat_at = ') ? 'renewal' : undefined;
}

/** Three pending runs whose inputs are too large to come with a claim, and what is sent to the server. */
async function largeInputs() {
  const remote = await startRemote();
  const clock = new FakeClock();
  const sent: Sent[] = [];
  /** Called before each request is sent. */
  let before: (kind: Sent | undefined) => Promise<void> | void = () => undefined;
  const fetch = async (request: Request): Promise<Response> => {
    const kind = kindOf(await request.clone().text());
    if (kind !== undefined) sent.push(kind);
    await before(kind);
    return await globalThis.fetch(request);
  };
  const client = createClient({ url: remote.url, fetch });
  onTestFinished(() => client.close());
  const { store } = createStore({ dialect: new LibsqlDialect({ client }), clock });
  await store.migrate();
  const runs = ['a', 'b', 'c'].map((letter) => newRun({ payload: JSON.stringify(letter.repeat(1_100_000)) }));
  await store.enqueue(runs);
  return {
    store,
    clock,
    sent,
    runs,
    onSend: (task: typeof before) => {
      before = task;
    },
  };
}

describe('a claim of runs with large inputs', () => {
  test('renews their leases while it reads the inputs, once they are a quarter of the threshold old', async () => {
    const { store, clock, sent, onSend } = await largeInputs();
    onSend((kind) => {
      if (kind === 'payloads') clock.advance(2_500);
    });
    const { runs } = await claim(store, { limit: 3, staleThresholdMs: 8_000 });
    expect(runs).toHaveLength(3);
    expect(sent).toEqual(['claim', 'payloads', 'renewal', 'payloads', 'renewal', 'payloads']);
  });

  test('does not renew them if the inputs come soon', async () => {
    const { store, clock, sent, onSend } = await largeInputs();
    onSend((kind) => {
      if (kind === 'payloads') clock.advance(500);
    });
    await claim(store, { limit: 3, staleThresholdMs: 8_000 });
    expect(sent).toEqual(['claim', 'payloads', 'payloads', 'payloads']);
  });

  test('gives up at its deadline, and finds the same runs when it is asked again', async () => {
    const { store, clock, onSend, runs } = await largeInputs();
    const gate = deferred();
    let isHeld = false;
    onSend(async (kind) => {
      if (kind !== 'payloads') return;
      isHeld = true;
      await gate.promise;
    });
    const asked = { limit: 3, claimToken: 'token' };
    const claiming = rejectionOf(claim(store, { ...asked, deadlineMs: clock.monotonicMs() + 10_000 }));
    await until(() => isHeld);
    clock.advance(10_000);
    expect(await claiming).toBeInstanceOf(DatabaseUnavailableError);
    gate.resolve();
    const again = await claim(store, { ...asked, isAskedAgain: true });
    expect(new Set(again.runs.map(({ payload }) => payload))).toEqual(
      new Set(runs.map(({ payload }) => payload)),
    );
  });
});
