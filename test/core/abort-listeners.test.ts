import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { onAbort } from '../../src/core/abort-listeners.ts';

const listenersOf = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

test('many subscribers add one listener to the signal, and none after they have unsubscribed', () => {
  const { signal } = new AbortController();
  const unsubscribe = Array.from({ length: 20 }, () => onAbort(signal, () => undefined));
  expect(listenersOf(signal)).toBe(1);
  for (const each of unsubscribe) each();
  expect(listenersOf(signal)).toBe(0);
  onAbort(signal, () => undefined);
  expect(listenersOf(signal)).toBe(1);
});

test('an abort calls every current subscriber once', () => {
  const controller = new AbortController();
  const calls: string[] = [];
  const first = onAbort(controller.signal, () => calls.push('first'));
  onAbort(controller.signal, () => calls.push('second'));
  onAbort(controller.signal, () => calls.push('third'));
  first();
  controller.abort();
  controller.signal.dispatchEvent(new Event('abort'));
  expect(calls).toEqual(['second', 'third']);
});
