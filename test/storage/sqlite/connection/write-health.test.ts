import { describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../../../src/core/errors/errors.ts';
import { WriteHealth } from '../../../../src/storage/sqlite/connection/write-health.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

function watched() {
  const clock = new FakeClock();
  return { clock, health: new WriteHealth(clock) };
}

describe('the check whether the database accepts writes', () => {
  test('sends only a read while writes succeed', () => {
    const { health } = watched();
    expect(health.question({ maxWaitMs: 2_000 }).kind).toBe('read');
    health.noteBegin()();
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
    const end = health.noteBegin();
    clock.advance(2_000);
    expect(health.question({ maxWaitMs: 2_000 }).kind).toBe('read');
    clock.advance(1);
    expect(() => health.question({ maxWaitMs: 2_000 })).toThrow(DatabaseUnavailableError);
    end();
    expect(health.question({ maxWaitMs: 2_000 }).kind).toBe('read');
  });
});
