import { describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { frameOf, RETRY_LINE, StandIn } from './stand-in.ts';

const runThatIs = (status: string) =>
  Response.json({
    id: 'run_1',
    jobName: 'greet',
    status,
    isActive: status === 'running',
    output: 1,
    progress: null,
  });

describe('a wait for a run that ends just before its stream begins', () => {
  it('is over, though the stream of an older service goes on', async () => {
    const service = new StandIn();
    const waiting = service.client.run('run_1').wait();
    (await service.next()).answer(runThatIs('running'));
    const stream = await service.nextStream();
    stream.write(RETRY_LINE);
    const asked = await service.next();
    expect(asked.path).toBe('/run?runId=run_1');
    asked.answer(runThatIs('completed'));
    await until(() => service.clock.pendingMs.includes(1_000), 'the time for the last events');
    service.clock.advance(1_000);
    (await service.next()).answer(runThatIs('completed'));
    expect(await waiting).toMatchObject({ status: 'completed', output: 1 });
    expect(stream.request.signal.aborted).toBe(true);
    expect(service.clock.pendingMs).toEqual([]);
  });

  it('goes on with the stream if the run goes on', async () => {
    const service = new StandIn();
    const waiting = service.client.run('run_1').wait();
    (await service.next()).answer(runThatIs('running'));
    const stream = await service.nextStream();
    (await service.next()).answer(runThatIs('running'));
    stream.write(frameOf(9, 'run:complete'));
    void stream.close();
    (await service.next()).answer(runThatIs('completed'));
    expect(await waiting).toMatchObject({ status: 'completed' });
    expect(service.clock.pendingMs).toEqual([]);
  });
});
