import { describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../../../src/core/errors/errors.ts';
import { WriteHealth } from '../../../../src/storage/sqlite/connection/write-health.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

function watched() {
  const clock = new FakeClock();
  return { clock, health: new WriteHealth(clock) };
}

describe('the check whether the database accepts writes', () => {
  test('sends only a read while writes succeed, and ignores successful reads', () => {
    const { health } = watched();
    expect(health.question().kind).toBe('read');
    health.noteBegin('write')();
    health.noteSuccess('write', 1);
    health.noteFailure('read');
    expect(health.question().kind).toBe('read');
  });

  test('fails for five seconds after a failed write, then sends a write until one has changed something', () => {
    const { clock, health } = watched();
    health.noteFailure('write');
    clock.advance(4_999);
    // The write may have been small enough for the remaining space.
    health.noteSuccess('write', 1);
    expect(() => health.question()).toThrow(DatabaseUnavailableError);
    clock.advance(1);
    expect(health.question().kind).toBe('write');
    health.noteSuccess('write', 0);
    health.noteSuccess('read', 1);
    expect(health.question().kind).toBe('write');
    health.noteSuccess(health.question().kind, 1);
    expect(health.question().kind).toBe('read');
  });

  test('fails while a write has waited for more than two seconds, even if later ones succeeded', () => {
    const { clock, health } = watched();
    const end = health.noteBegin('write');
    clock.advance(1_000);
    const endLater = health.noteBegin('write');
    health.noteBegin('read');
    clock.advance(1_000);
    expect(health.question().kind).toBe('read');
    clock.advance(1);
    expect(() => health.question()).toThrow(DatabaseUnavailableError);
    end();
    expect(health.question().kind).toBe('read');
    clock.advance(1_000);
    expect(() => health.question()).toThrow(DatabaseUnavailableError);
    endLater();
    expect(health.question().kind).toBe('read');
  });
});
