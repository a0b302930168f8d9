import { describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../../../src/core/errors/errors.ts';
import { WriteHealth } from '../../../../src/storage/sqlite/connection/write-health.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { echo } from '../../../support/jobs.ts';
import { startRemote } from '../../../support/remote.ts';
import { rejectionOf } from '../../../support/runs.ts';

function watched() {
  const clock = new FakeClock();
  return { clock, health: new WriteHealth(clock) };
}

describe('the check whether the database accepts writes', () => {
  test('sends only a read while writes succeed', () => {
    const { health } = watched();
    expect(health.question({ maxWaitMs: 2_000 }).kind).toBe('read');
    health.noteBegin();
    health.noteEnd();
    health.noteSuccess(1);
    expect(health.question({ maxWaitMs: 2_000 }).kind).toBe('read');
  });

  test('fails for five seconds after a failed write, then sends a write until one has changed something', () => {
    const { clock, health } = watched();
    health.noteFailure();
    clock.advance(4_999);
    // The write may have been small enough for the remaining space.
    health.noteSuccess(1);
    expect(() => health.question({ maxWaitMs: 2_000 })).toThrow(DatabaseUnavailableError);
    clock.advance(1);
    expect(health.question({ maxWaitMs: 2_000 }).kind).toBe('write');
    health.noteSuccess(0);
    expect(health.question({ maxWaitMs: 2_000 }).kind).toBe('write');
    health.noteSuccess(1);
    expect(health.question({ maxWaitMs: 2_000 }).kind).toBe('read');
  });

  test('fails while a write has waited for more than two seconds', () => {
    const { clock, health } = watched();
    health.noteBegin();
    clock.advance(2_000);
    expect(health.question({ maxWaitMs: 2_000 }).kind).toBe('read');
    clock.advance(1);
    expect(() => health.question({ maxWaitMs: 2_000 })).toThrow(DatabaseUnavailableError);
    health.noteEnd();
    expect(health.question({ maxWaitMs: 2_000 }).kind).toBe('read');
  });

  test('still sends a write after a batch whose only rows are those of reads', async () => {
    let probes = 0;
    const fetch = async (request: Request): Promise<Response> => {
      if ((await request.clone().text()).includes('applied_at + 1')) probes++;
      return await globalThis.fetch(request);
    };
    const { startStill, server } = await startRemote();
    const { durably, clock } = await startStill({ fetch });
    await durably.stop();
    const { echo: handle } = durably.register({ echo });
    const { id } = await handle.trigger('kept');
    await durably.cancel(id);
    server.fault = () => ({ kind: 'error', code: 'SQLITE_FULL' });
    await rejectionOf(handle.trigger('refused'));
    server.fault = () => ({ kind: 'none' });
    clock.advance(5_000);
    // It changes nothing, and its batch reads why.
    await rejectionOf(durably.cancel(id));
    probes = 0;
    await durably.health();
    expect(probes).toBe(1);
    await durably.health();
    expect(probes).toBe(1);
  });
});
