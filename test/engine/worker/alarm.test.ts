import { expect, test } from 'vitest';
import { Alarm } from '../../../src/engine/worker/alarm.ts';
import { FakeClock } from '../../support/fake-clock.ts';

function ringing() {
  const clock = new FakeClock();
  const startMs = clock.monotonicMs();
  const rings: number[] = [];
  const alarm = new Alarm(clock, () => rings.push(clock.monotonicMs() - startMs));
  return { clock, alarm, rings };
}

test('an alarm rings at each time that it was set to, whatever their order', () => {
  const { clock, alarm, rings } = ringing();
  for (const inMs of [3_000, 1_000, 2_000, 1_000]) alarm.set(inMs);
  for (let i = 0; i < 400; i++) clock.advance(10);
  expect(rings).toEqual([1_000, 2_000, 3_000]);
});

test('an alarm that was set for times that are over rings once', () => {
  const { clock, alarm, rings } = ringing();
  for (const inMs of [10, 20, 30]) alarm.set(inMs);
  clock.standStill(1_000);
  expect(rings).toHaveLength(1);
});

test('a cleared alarm does not ring, and can be set again', () => {
  const { clock, alarm, rings } = ringing();
  alarm.set(1_000);
  alarm.clear();
  clock.advance(2_000);
  expect(rings).toEqual([]);
  alarm.set(1_000);
  clock.advance(1_000);
  expect(rings).toHaveLength(1);
});

test('a full alarm still rings at the earliest time', () => {
  const { clock, alarm, rings } = ringing();
  for (let i = 1; i <= 10_000; i++) alarm.set(1_000_000 + i * 10);
  alarm.set(1_000);
  clock.advance(1_000);
  expect(rings).toEqual([1_000]);
});

test('an alarm remembers ten thousand times, and forgets the latest', () => {
  const { clock, alarm, rings } = ringing();
  for (let i = 1; i <= 10_001; i++) alarm.set(i * 10);
  for (let i = 0; i < 10_010; i++) clock.advance(10);
  expect(rings).toHaveLength(10_000);
  expect(rings.at(-1)).toBe(100_000);
});
