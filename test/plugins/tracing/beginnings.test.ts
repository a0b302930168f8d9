import { afterAll, beforeEach, expect } from 'vitest';
import { createDurablyApp } from '../../../src/app/create-app.ts';
import { traceRequests, tracing } from '../../../src/opentelemetry.ts';
import { postJson } from '../../http/doors.ts';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { untilStatus } from '../../support/runs.ts';
import {
  endedSpans,
  forgetSpans,
  registerSdk,
  spanNamed,
  spansNamed,
  traceIdsOf,
  untilSpans,
  within,
} from './spans.ts';

/** Of a caller that is elsewhere. */
const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN_ID = '00f067aa0ba902b7';
const TRACEPARENT = `00-${TRACE_ID}-${SPAN_ID}-01`;

const provider = registerSdk();
afterAll(() => provider.shutdown());
beforeEach(forgetSpans);

contract(
  'where a trace begins',
  (test) => {
    test('takes the headers of a request over, and ignores invalid ones', async ({ world }) => {
      const { durably } = await world.start({ use: [tracing()] });
      durably.register({ one: job('one', () => 1) });
      const app = createDurablyApp(durably);
      const fetchTraced = traceRequests((request) => app.fetch(request));
      const trigger = async (headers: Readonly<Record<string, string>>) => {
        forgetSpans();
        const request = postJson('/trigger', { jobName: 'one', input: 0 });
        for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
        expect((await fetchTraced(request)).status).toBe(200);
        await untilSpans('process one');
        return [spanNamed('create one'), spanNamed('process one')] as const;
      };
      const [created, run] = await trigger({ traceparent: TRACEPARENT, tracestate: 'vendor=opaque' });
      expect(created.parentSpanContext).toMatchObject({ traceId: TRACE_ID, spanId: SPAN_ID });
      expect(run.spanContext().traceId).toBe(TRACE_ID);
      expect(run.spanContext().traceState?.serialize()).toBe('vendor=opaque');
      for (const traceparent of [
        `ff-${TRACE_ID}-${SPAN_ID}-01`,
        `00-${'0'.repeat(32)}-${SPAN_ID}-01`,
        `00-${TRACE_ID}-${'0'.repeat(16)}-01`,
        `00-${TRACE_ID.toUpperCase()}-${SPAN_ID}-01`,
        `00-${TRACE_ID}-${SPAN_ID}`,
        'x'.repeat(10_000),
      ]) {
        const [root, own] = await trigger({ traceparent, tracestate: 'vendor=opaque' });
        expect(root.parentSpanContext, traceparent).toBeUndefined();
        expect(own.spanContext().traceId).not.toBe(TRACE_ID);
      }
    });

    test('does not record runs that their trigger was told not to record', async ({ world }) => {
      const { durably } = await world.start({ use: [tracing()] });
      const { one } = durably.register({ one: job('one', () => 1) });
      const app = createDurablyApp(durably);
      const request = postJson('/trigger', { jobName: 'one', input: 0 });
      request.headers.set('traceparent', `00-${TRACE_ID}-${SPAN_ID}-00`);
      const answer = await traceRequests((each) => app.fetch(each))(request);
      await untilStatus(durably, (await answer.json()).runId, 'completed');
      await one.trigger(1);
      await untilSpans('process one');
      expect(traceIdsOf(endedSpans())).not.toContain(TRACE_ID);
    });

    test('gives each run of a schedule a trace of its own, whatever is active at its claim', async ({
      world,
    }) => {
      await within('request', async () => {
        const { durably } = await world.start({ use: [tracing()] });
        durably.register({ one: job('one', () => 1) });
        await durably.schedule({ id: 'often', jobName: 'one', every: '1h', input: 0 });
        for (let fired = 1; fired <= 2; fired++) {
          await durably.fireSchedule('often');
          await untilSpans('process one', fired);
        }
      });
      const runs = spansNamed('process one');
      for (const run of runs) expect([run.parentSpanContext, run.links]).toEqual([undefined, []]);
      expect(traceIdsOf([...runs, spanNamed('request')])).toHaveLength(3);
      expect(spansNamed('create one')).toEqual([]);
    });
  },
  ({ name }) => name === "the service's own on a file",
);
