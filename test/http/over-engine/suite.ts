import { describe } from 'vitest';
import { client, type StartedService } from './client.ts';
import { testRuns } from './runs.ts';
import { testStreams } from './streams.ts';

/** The tests for every way to reach a running service. */
export function overEngine(door: string, startService: () => Promise<StartedService>): void {
  const start = async () => {
    const started = await startService();
    return { ...started, ...client(started.send) };
  };
  describe(`over a real engine, through ${door}`, () => {
    testRuns(start);
    testStreams(start);
  });
}
