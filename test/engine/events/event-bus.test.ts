import { expect, test, vi } from 'vitest';
import type { DurablyEvent } from '../../../src/core/events.ts';
import type { DurablyPlugin } from '../../../src/core/plugins/plugin.ts';
import { EventBus } from '../../../src/engine/events/event-bus.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const RUN = { runId: 'run_1', jobName: 'job' };

/** Publishes the end of a run to many plugins and listeners. Returns how often its output was parsed. */
function parsesOf(output: string, hear: (event: DurablyEvent) => unknown): number {
  const parse = vi.spyOn(JSON, 'parse');
  const plugins = Array.from(
    { length: 4 },
    (_, i): DurablyPlugin => ({ name: `plugin-${i}`, onEvent: (event) => void hear(event) }),
  );
  const bus = new EventBus(new FakeClock(), undefined, plugins);
  for (let i = 0; i < 3; i++) bus.on('run:complete', hear);
  try {
    bus.publish([{ run: RUN, note: { type: 'run:complete', data: output, durationMs: 1 } }]);
    return parse.mock.calls.filter(([text]) => text === output).length;
  } finally {
    parse.mockRestore();
  }
}

test('an event is parsed once for all plugins and listeners', () => {
  for (const output of ['x', 'x'.repeat(100_000)]) {
    const heard: unknown[] = [];
    expect(parsesOf(JSON.stringify({ output }), (event) => heard.push(event))).toBeLessThanOrEqual(1);
    const [first] = heard;
    expect(heard).toHaveLength(7);
    // All of them got the same event.
    expect(new Set(heard)).toEqual(new Set([first]));
    expect({ ...(first as object) }).toMatchObject({
      ...RUN,
      type: 'run:complete',
      output: { output },
      duration: 1,
    });
    expect(JSON.parse(JSON.stringify(first))).toMatchObject({ output: { output } });
  }
  const read: unknown[] = [];
  const long = JSON.stringify({ text: 'x'.repeat(100_000) });
  expect(parsesOf(long, (event) => read.push(event.type === 'run:complete' && event.output))).toBe(1);
  expect(new Set(read).size).toBe(1);
});

test('a long value that no listener reads is not parsed', () => {
  expect(parsesOf(JSON.stringify('x'.repeat(100_000)), () => undefined)).toBe(0);
});
