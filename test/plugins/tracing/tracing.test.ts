import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { afterAll, beforeEach, expect } from 'vitest';
import { createCodec } from '../../../src/crypto.ts';
import type { StepContext } from '../../../src/index.ts';
import { tracing } from '../../../src/opentelemetry.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { job } from '../../support/jobs.ts';
import { ageHeartbeat, untilStatus } from '../../support/runs.ts';
import { deferred } from '../../support/until.ts';
import {
  endedSpans,
  forgetSpans,
  parentNameOf,
  registerSdk,
  spanNamed,
  spansNamed,
  tracedServer,
  traceIdsOf,
  untilSpans,
  within,
} from './spans.ts';

const STALE_MS = 30_001;
const NIGHT_MS = 9 * 3_600_000;
const provider = registerSdk();
afterAll(() => provider.shutdown());
beforeEach(forgetSpans);

contract(
  'tracing',
  (test) => {
    test('makes one trace of a trigger, its run, steps, a fetch, a wait, a crash and a run below', async ({
      world,
    }) => {
      const use = [tracing()];
      const { url, traceparents } = await tracedServer();
      const tools = await world.tools();
      const crashed = deferred();
      let tries = 0;
      const jobs = {
        child: job('child', (step) => step.run('answer', () => 42)),
        order: job('order', async (step) => {
          await step.run('ask', async () => await (await fetch(url)).text());
          await step.sleep('night', '8h');
          await step.run('crash', async () => {
            if (++tries > 1) return 'done';
            crashed.resolve();
            return await new Promise<string>(() => undefined);
          });
          return await step.invoke('below', 'child', {});
        }),
      };
      const { durably: caller } = await world.idle({ use });
      const { order } = caller.register(jobs);
      const { id } = await within('request', () => order.trigger(0));

      // Its clock stands still, so that it seems dead.
      const { durably: first } = await world.start({ use, clock: new FakeClock() });
      first.register(jobs);
      await untilStatus(caller, id, 'waiting');
      await tools.ageDue(id, NIGHT_MS);
      const { durably: second } = await world.start({ use, clock: new FakeClock() });
      second.register(jobs);
      await crashed.promise;
      await ageHeartbeat(caller, id, STALE_MS);
      const { durably: third } = await world.start({ use });
      third.register(jobs);
      expect((await untilStatus(caller, id, 'completed')).output).toBe(42);
      // The invoking run waits once more, for the run below it.
      await untilSpans('process order', 3);

      const spans = endedSpans();
      expect(traceIdsOf(spans)).toHaveLength(1);
      const ancestors = ['request', 'create order', 'process order', 'step ask', 'GET'];
      for (const [i, name] of ancestors.entries()) {
        for (const span of spansNamed(name)) expect(parentNameOf(span), name).toBe(ancestors[i - 1]);
      }
      expect(traceparents).toEqual([expect.stringContaining(spanNamed('GET').spanContext().traceId)]);
      expect(parentNameOf(spanNamed('create child'))).toBe('process order');
      expect(parentNameOf(spanNamed('process child'))).toBe('create child');
      expect(parentNameOf(spanNamed('step answer'))).toBe('process child');
      expect(parentNameOf(spanNamed('step crash'))).toBe('process order');
      const executions = spansNamed('process order').map(({ attributes }) => [
        attributes['durably.run.kind'],
        attributes['durably.run.attempt'],
        attributes['durably.run.outcome'],
      ]);
      expect(executions).toEqual([
        ['start', 1, 'waiting'],
        ['takeover', 2, 'waiting'],
        ['resume', 2, 'completed'],
      ]);
    });

    test('names jobs, runs and steps by the semantic conventions, and links a run to its trigger', async ({
      world,
    }) => {
      const { durably } = await world.start({ use: [tracing()] });
      const { one } = durably.register({ one: job('one', (step) => step.run('work', () => 1)) });
      const { id } = await one.trigger(0);
      await untilSpans('process one');
      const [created, run, step] = ['create one', 'process one', 'step work'].map(spanNamed);
      const messaging = {
        'messaging.system': 'durably',
        'messaging.destination.name': 'one',
        'messaging.message.id': id,
      };
      const operation = (name: string) => ({
        'messaging.operation.name': name,
        'messaging.operation.type': name,
      });
      expect(created?.kind).toBe(SpanKind.PRODUCER);
      expect(created?.attributes).toEqual({
        ...messaging,
        ...operation('create'),
        'durably.trigger.kind': 'trigger',
      });
      expect(run?.kind).toBe(SpanKind.CONSUMER);
      expect(run?.attributes).toEqual({
        ...messaging,
        ...operation('process'),
        'durably.run.attempt': 1,
        'durably.run.kind': 'start',
        'durably.run.version': 1,
        'durably.run.outcome': 'completed',
      });
      expect(run?.links.map((link) => link.context.spanId)).toEqual([created?.spanContext().spanId]);
      expect(step?.kind).toBe(SpanKind.INTERNAL);
      expect(step?.attributes).toEqual({
        'durably.job.name': 'one',
        'durably.run.id': id,
        'durably.step.name': 'work',
        'durably.step.index': 0,
        'durably.step.attempt': 1,
        'durably.step.outcome': 'completed',
      });
    });

    test('shows each try of a step and the failure of the run with the exception', async ({ world }) => {
      const run = (step: StepContext) =>
        step.run(
          'try',
          { retries: { limit: 1, delay: 1 } },
          (_signal: AbortSignal, { attempt }: { attempt: number }) => {
            throw new TypeError(`try ${attempt}`);
          },
        );
      for (const errorDetail of ['full', 'message'] as const) {
        forgetSpans();
        const { durably } = await world.start({ use: [tracing({ errorDetail })] });
        const { bad } = durably.register({ bad: job(`bad-${errorDetail}`, run) });
        await bad.trigger(0);
        await untilSpans(`process bad-${errorDetail}`);
        const failed = [...spansNamed('step try'), spanNamed(`process bad-${errorDetail}`)];
        const shown = failed.map(({ attributes, status, events }) => ({
          attempt: attributes['durably.step.attempt'],
          outcome: attributes['durably.step.outcome'] ?? attributes['durably.run.outcome'],
          error: attributes['error.type'],
          status,
          exceptions: events.map((event) => [event.name, event.attributes?.['exception.message']]),
        }));
        const failure = (message: string) => ({
          outcome: 'failed',
          error: 'TypeError',
          status: { code: SpanStatusCode.ERROR, message },
          exceptions: [['exception', message]],
        });
        expect(shown).toEqual([
          { attempt: 1, ...failure('try 1') },
          { attempt: 2, ...failure('try 2') },
          { attempt: undefined, ...failure('try 2') },
        ]);
        const stacks = failed.map(({ events }) => events[0]?.attributes?.['exception.stacktrace']);
        for (const stack of stacks) {
          if (errorDetail === 'full') expect(stack).toContain('tracing.test.ts');
          else expect(stack).toBeUndefined();
        }
      }
    });

    test('tells no message of a sensitive step, nor any where payloads are encoded', async ({ world }) => {
      const secret = 'open sesame';
      const textsOf = () =>
        JSON.stringify(
          endedSpans().map(({ status, events, attributes }) => ({ status, events, attributes })),
        );
      const fail = () => {
        throw new TypeError(`refused ${secret}`);
      };
      const { durably: plain } = await world.start({ use: [tracing()] });
      const { hidden } = plain.register({
        hidden: job('hidden', (step) =>
          step.run('outer', () => step.run('sign in', { sensitive: true }, fail)),
        ),
      });
      await hidden.trigger(0);
      await untilSpans('process hidden');
      expect(textsOf()).not.toContain(secret);
      for (const name of ['step sign in', 'step outer', 'process hidden']) {
        expect(spanNamed(name).status).toEqual({ code: SpanStatusCode.ERROR, message: '[redacted]' });
        expect(spanNamed(name).attributes['error.type']).toBe('TypeError');
      }
      forgetSpans();
      await plain.stop();
      const codec = createCodec({ keys: { k1: new Uint8Array(32) }, current: 'k1' });
      const { durably: encrypted } = await world.start({ use: [tracing(), codec] });
      const { open } = encrypted.register({ open: job('open', (step) => step.run('sign in', fail)) });
      await open.trigger(0);
      await untilSpans('process open');
      expect(textsOf()).not.toContain(secret);
      for (const name of ['step sign in', 'process open']) {
        expect(spanNamed(name).status).toEqual({ code: SpanStatusCode.ERROR, message: '[encrypted]' });
        expect(spanNamed(name).attributes['error.type']).toBe('TypeError');
      }
    });

    test('ends the spans of a run that is cancelled or handed back, and of its steps, without an error', async ({
      world,
    }) => {
      const { durably } = await world.start({ use: [tracing()], maxConcurrentRuns: 2 });
      const entered = [deferred(), deferred()];
      const { stuck } = durably.register({
        stuck: job('stuck', async (step, at) => {
          const hang = (name: string, heeds: boolean) =>
            step.run(name, (signal) => {
              if (name === 'deaf') entered[at as number]?.resolve();
              return new Promise<void>((_, reject) => {
                if (heeds) signal.addEventListener('abort', () => reject(signal.reason));
              });
            });
          await Promise.all([hang('heeding', true), hang('deaf', false)]);
        }),
      });
      const { id } = await stuck.trigger(0);
      await entered[0]?.promise;
      await durably.cancel(id);
      await untilSpans('process stuck');
      await stuck.trigger(1);
      await entered[1]?.promise;
      await durably.stop({ timeoutMs: 0 });
      await untilSpans('process stuck', 2);
      const outcomes = spansNamed('process stuck').map(({ attributes }) => attributes['durably.run.outcome']);
      expect(outcomes).toEqual(['cancelled', 'handed-back']);
      const steps = endedSpans().filter(({ name }) => name.startsWith('step '));
      expect(steps).toHaveLength(4);
      for (const { attributes } of steps) expect(attributes['durably.step.outcome']).toBe('abandoned');
      for (const { status, events } of endedSpans()) {
        expect([status.code, events]).toEqual([SpanStatusCode.UNSET, []]);
      }
    });

    test('puts a step below a span that the job has made', async ({ world }) => {
      const { durably } = await world.start({ use: [tracing()] });
      const { one } = durably.register({
        one: job('one', async (step) => {
          await within('part', () =>
            step.run('inner', () => void trace.getActiveSpan()?.setAttribute('mine', 1)),
          );
          // A job may lose the context: what it calls back later has another one.
          await context.with(trace.deleteSpan(context.active()), () => step.run('outer', () => 1));
        }),
      });
      await one.trigger(0);
      await untilSpans('process one');
      expect(parentNameOf(spanNamed('step inner'))).toBe('part');
      expect(spanNamed('step inner').attributes.mine).toBe(1);
      expect(parentNameOf(spanNamed('part'))).toBe('process one');
      expect(parentNameOf(spanNamed('step outer'))).toBe('process one');
    });

    test('has no hooks without an SDK', () => {
      expect(Object.keys(tracing()).length).toBeGreaterThan(1);
      trace.disable();
      try {
        expect(tracing()).toEqual({ name: 'tracing' });
      } finally {
        trace.setGlobalTracerProvider(provider);
      }
    });
  },
  ({ name }) => name === "the service's own on a file",
);
