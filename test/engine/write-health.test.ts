import { describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../src/core/errors/errors.ts';
import { WriteHealth } from '../../src/storage/sqlite/connection/write-health.ts';
import { FakeClock } from '../support/fake-clock.ts';

const WRITE = 'insert into t values (1)';
const isWrite = (sql: string) => !sql.startsWith('select');

function watched() {
  const clock = new FakeClock();
  return { clock, health: new WriteHealth(clock) };
}

describe('the check whether the database accepts writes', () => {
  test('sends only a read while writes succeed, and ignores successful reads', () => {
    const { health } = watched();
    expect(isWrite(health.question())).toBe(false);
    health.noteBegin(WRITE)();
    health.noteSuccess(WRITE, 1);
    health.noteFailure('select 1');
    expect(isWrite(health.question())).toBe(false);
  });

  test('fails for five seconds after a failed write, then sends a write until one has changed something', () => {
    const { clock, health } = watched();
    health.noteFailure(WRITE);
    clock.advance(4_999);
    // The write may have been small enough for the remaining space.
    health.noteSuccess(WRITE, 1);
    expect(() => health.question()).toThrow(DatabaseUnavailableError);
    clock.advance(1);
    expect(isWrite(health.question())).toBe(true);
    health.noteSuccess(WRITE, 0);
    health.noteSuccess('select 1', 1);
    expect(isWrite(health.question())).toBe(true);
    health.noteSuccess(health.question(), 1);
    expect(isWrite(health.question())).toBe(false);
  });

  test('fails while a write has waited for more than two seconds, even if later ones succeeded', () => {
    const { clock, health } = watched();
    const end = health.noteBegin(WRITE);
    clock.advance(1_000);
    const endLater = health.noteBegin(WRITE);
    health.noteBegin('select 1');
    clock.advance(1_000);
    expect(isWrite(health.question())).toBe(false);
    clock.advance(1);
    expect(() => health.question()).toThrow(DatabaseUnavailableError);
    end();
    expect(isWrite(health.question())).toBe(false);
    clock.advance(1_000);
    expect(() => health.question()).toThrow(DatabaseUnavailableError);
    endLater();
    expect(isWrite(health.question())).toBe(false);
  });
});
