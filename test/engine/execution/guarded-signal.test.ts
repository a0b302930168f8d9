import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createGuardedController } from '../../../src/engine/execution/guarded-signal.ts';
import { idle } from '../../support/idle.ts';
import { watchProcess } from '../../support/processes/watch-process.ts';

/** A guarded controller, the errors of its listeners, and what Node raised or warned of. */
function guarded() {
  const raised = watchProcess();
  const reported: unknown[] = [];
  const controller = createGuardedController((error) => reported.push(error));
  return { controller, signal: controller.signal, reported, raised };
}

const thrower = (error: unknown) => () => {
  throw error;
};

test('reports what listeners throw, and calls the others', async () => {
  const { controller, signal, reported, raised } = guarded();
  const called: string[] = [];
  signal.addEventListener('abort', thrower('function'));
  signal.addEventListener('abort', { handleEvent: thrower('object') });
  signal.addEventListener('abort', async () => thrower('rejection')());
  // biome-ignore lint/suspicious/noThenProperty: this is what is tested.
  signal.addEventListener('abort', () => ({ then: thrower('thenable') }));
  signal.onabort = thrower('onabort');
  signal.addEventListener('abort', () => called.push('last'));
  controller.abort();
  await idle();
  expect(reported).toEqual(
    expect.arrayContaining(['function', 'object', 'rejection', 'thenable', 'onabort']),
  );
  expect(reported).toHaveLength(5);
  expect(called).toEqual(['last']);
  expect(raised).toEqual([]);
});

test('adds and removes listeners as any signal does', () => {
  const { controller, signal } = guarded();
  const calls: unknown[] = [];
  const removed = () => calls.push('removed');
  const twice = () => calls.push('twice');
  signal.addEventListener('abort', removed);
  signal.removeEventListener('abort', removed);
  signal.addEventListener('abort', twice);
  signal.addEventListener('abort', twice);
  signal.addEventListener('abort', twice, { once: true });
  const removing = new AbortController();
  signal.addEventListener('abort', () => calls.push('by signal'), { signal: removing.signal });
  removing.abort();
  const object = {
    handleEvent(this: unknown, event: Event) {
      calls.push(this === object, event.type, event.target === signal);
    },
  };
  signal.addEventListener('abort', object);
  signal.addEventListener('abort', function (this: unknown) {
    calls.push(this === signal);
  });
  controller.abort('why');
  expect(calls).toEqual(['twice', true, 'abort', true, true]);
  expect(signal.reason).toBe('why');
  expect(signal).toBeInstanceOf(AbortSignal);
});

test('lets onabort be read, replaced and removed', () => {
  const { controller, signal } = guarded();
  const calls: string[] = [];
  expect(signal.onabort).toBe(null);
  signal.onabort = () => calls.push('first');
  const second = () => calls.push('second');
  signal.onabort = second;
  expect(signal.onabort).toBe(second);
  controller.abort();
  expect(calls).toEqual(['second']);
  signal.onabort = null;
  expect(signal.onabort).toBe(null);
});

test('cancels APIs that accept a signal: timers, events, fetch, AbortSignal.any', async () => {
  const { controller, signal, raised } = guarded();
  const derived = AbortSignal.any([signal, AbortSignal.timeout(60_000)]);
  const cancelled = [
    pause(60_000, undefined, { signal }),
    once(process, 'never', { signal }),
    fetch('http://127.0.0.1:9/', { signal }),
    fetch(new Request('http://127.0.0.1:9/', { signal: derived })),
  ];
  const outcomes = Promise.allSettled(cancelled);
  controller.abort(new Error('enough'));
  for (const outcome of await outcomes) expect(outcome.status).toBe('rejected');
  expect(derived.aborted).toBe(true);
  expect(raised).toEqual([]);
});

test('accepts any number of listeners without a warning', async () => {
  const { signal, raised } = guarded();
  for (let i = 0; i < 50; i++) signal.addEventListener('abort', () => i);
  await idle();
  expect(raised).toEqual([]);
});
