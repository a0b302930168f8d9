import { describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../../../src/core/errors/errors.ts';
import { WriteHealth } from '../../../../src/storage/sqlite/connection/write-health.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

function watched() {
  const clock = new FakeClock();
  return { clock, health: new WriteHealth(clock) };
}

describe('whether the database takes writes', () => {
  test('is only asked with a read while all writes succeed, and reads say nothing about it', () => {
    const { health } = watched();
    expect(health.question().kind).toBe('read');
    health.noteBegin('write')();
    health.noteSuccess('write', 1);
    health.noteFailure('read');
    expect(health.question().kind).toBe('read');
  });

  test('is denied for five seconds after a write failed, then asked with a write until one has changed something', () => {
    const { clock, health } = watched();
    health.noteFailure('write');
    clock.advance(4_999);
    // It may have been small enough for what room was left.
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

  test('is denied while a write has been waiting for more than two seconds, though others came later', () => {
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
