// Checked by the compiler only. Nothing in here is executed.
import type { Transaction } from 'kysely';
import { z } from 'zod';
import {
  type Durably,
  defineJob,
  type JobHandle,
  type Run,
  type Schedule,
  type TriggeredRun,
} from '../../src/index.ts';
import { typed } from './equal.ts';

const order = defineJob({
  name: 'order',
  input: z.object({
    id: z.string(),
    due: z.date(),
    note: z.string().default('none'),
    lines: z.array(z.object({ sku: z.string(), at: z.date().optional() })),
    colour: z.enum(['red', 'blue']).nullable(),
    extra: z.unknown(),
  }),
  output: z.object({ total: z.number(), at: z.date(), unit: z.string().default('pcs') }),
  run: async (step, payload) => {
    typed<{
      id: string;
      due: string;
      note: string;
      lines: { sku: string; at?: string | undefined }[];
      colour: 'red' | 'blue' | null;
      extra: unknown;
    }>()(payload);

    typed<number>()(await step.run('number', () => 1));
    typed<string>()(await step.run('date', async () => new Date()));
    typed<undefined>()(await step.run('undefined', () => undefined));
    typed<{ at: string; list: (number | null)[] }>()(
      await step.run('nested', () => ({ at: new Date(), list: [1, undefined], gone: () => 1 })),
    );
    typed<[string, number]>()(await step.run('tuple', () => ['a', 1] as [string, number]));
    typed<unknown>()(await step.run('unknown', (): unknown => 1));
    typed<string | null>()(await step.run('union', (): Date | null => null));
    await step.run('signal', (signal) => typed<AbortSignal>()(signal));
    // The tables have the types of the given transaction, and any without.
    const stored = await step.transaction('typed', async (trx: Transaction<{ orders: { id: number } }>) => {
      // @ts-expect-error
      trx.selectFrom('unknown');
      return (await trx.selectFrom('orders').select('id').execute()).length;
    });
    typed<number>()(stored);
    typed<string>()(
      await step.transaction('untyped', { retries: 1 }, async (trx, signal, { attempt }) => {
        typed<AbortSignal>()(signal);
        typed<number>()(attempt);
        await trx.selectFrom('anything').selectAll().execute();
        return new Date();
      }),
    );
    typed<AbortSignal>()(step.signal);
    typed<string>()(step.runId);
    typed<void>()(step.progress(1, 2, 'message'));
    typed<void>()(step.log.info('message', { data: 1 }));
    typed<void>()(step.emit('event', { data: 1 }));
    typed<number>()(step.version);

    // @ts-expect-error a step needs a name
    await step.run(() => 1);
    // @ts-expect-error and a function
    await step.run('name');
    // @ts-expect-error a BigInt is no JSON
    (await step.run('bigint', () => 1n)).toString();
    // @ts-expect-error progress counts
    step.progress('half');
    // @ts-expect-error an event has a name
    step.emit();
    // @ts-expect-error there are three levels
    step.log.debug('message');

    return { total: 1, at: new Date() };
  },
});

const bare = defineJob({
  name: 'bare',
  input: z.string(),
  run: async (_step, text) => ({ length: text.length, at: new Date() }),
});

// Literals that `run` returns keep their types.
const decided = defineJob({
  name: 'decided',
  input: z.object({ sum: z.number() }),
  output: z.object({ decision: z.enum(['approve', 'reject']), reasons: z.array(z.string()) }),
  run: async (step, { sum }) => {
    const isLarge = await step.run('compare', () => sum > 100);
    return { decision: isLarge ? 'reject' : 'approve', reasons: ['sum'] };
  },
});
defineJob({ name: 'direct', input: z.void(), output: z.enum(['yes', 'no']), run: () => 'yes' });
defineJob({ name: 'later', input: z.void(), output: z.enum(['yes', 'no']), run: async () => 'yes' });
defineJob({
  name: 'fixed',
  input: z.void(),
  output: z.object({ is: z.literal('yes') }),
  run: async () => ({ is: 'yes' }),
});
// @ts-expect-error the schema has no such value
defineJob({ name: 'unknown', input: z.void(), output: z.enum(['yes', 'no']), run: async () => 'perhaps' });

const silent = defineJob({ name: 'silent', input: z.void(), run: async () => undefined });

export async function handlesAreTyped(durably: Durably): Promise<void> {
  const handles = durably.register({ order, renamed: bare, silent, decided });
  typed<'order'>()(handles.order.name);
  typed<'bare'>()(handles.renamed.name);
  typed<'order' | 'renamed' | 'silent' | 'decided'>()(Object.keys(handles)[0] as keyof typeof handles);

  const input = { id: '1', due: new Date(), lines: [], colour: 'red' as const, extra: 1 };
  const run = await handles.order.trigger(input, { idempotencyKey: 'i', concurrencyKey: 'c' });
  typed<string>()(run.payload.due);
  typed<string | undefined>()(run.payload.lines[0]?.at);
  typed<{ total: number; at: string; unit: string } | null>()(run.output);
  const { output: decision } = await handles.decided.trigger({ sum: 1 });
  typed<{ decision: 'approve' | 'reject'; reasons: string[] } | null>()(decision);
  typed<{ total: number; at: string; unit: string }>()((await handles.order.triggerAndWait(input)).output);

  // Without a schema, the output has the type that run returns, as JSON.
  typed<{ length: number; at: string }>()((await handles.renamed.triggerAndWait('x', { timeout: 5 })).output);
  typed<null>()((await handles.silent.triggerAndWait()).output);

  const batch = await handles.renamed.batchTrigger(['a', { input: 'b', options: { idempotencyKey: 'i' } }]);
  typed<TriggeredRun<string, { length: number; at: string }>[]>()(batch);
  typed<Run<string, { length: number; at: string }> | null>()(await handles.renamed.getRun('run_1'));
  typed<Run<string, { length: number; at: string }>[]>()(await handles.renamed.getRuns({ status: 'failed' }));
}

export async function wrongInputsAreErrors(durably: Durably): Promise<void> {
  const handles = durably.register({ order, bare });
  // @ts-expect-error not the input
  await handles.bare.trigger(7);
  // @ts-expect-error nothing at all
  await handles.bare.trigger();
  // @ts-expect-error a Date is given as a Date
  await handles.order.trigger({ id: '1', due: '2027-01-01', lines: [], colour: null, extra: 1 });
  // @ts-expect-error a part is missing
  await handles.order.trigger({ id: '1', due: new Date(), lines: [] });
  // @ts-expect-error one bad element of a batch
  await handles.bare.batchTrigger(['a', 7]);
  // @ts-expect-error one bad pair of a batch
  await handles.bare.batchTrigger([{ input: 7 }]);
  // @ts-expect-error no such option
  await handles.bare.trigger('a', { urgency: 1 });
  // @ts-expect-error a priority is a number
  await handles.bare.trigger('a', { priority: 'high' });
  // @ts-expect-error a key is a text
  await handles.bare.trigger('a', { idempotencyKey: 7 });
  // @ts-expect-error a timeout is a number of ms
  await handles.bare.triggerAndWait('a', { timeout: '5s' });
  // @ts-expect-error no such status
  await handles.bare.getRuns({ status: 'done' });
  // @ts-expect-error a handle sees only its own job
  await handles.bare.getRuns({ jobName: 'order' });
  // @ts-expect-error no such job
  await handles.other.trigger('a');
}

export function wrongDefinitionsAreErrors(): void {
  defineJob({ name: 'a', input: z.string(), version: 2, timeout: '2h', run: () => 1 });
  // @ts-expect-error a timeout has a unit
  defineJob({ name: 'a', input: z.string(), timeout: '2', run: () => 1 });
  // @ts-expect-error a version is a number
  defineJob({ name: 'a', input: z.string(), version: '2', run: () => 1 });
  // @ts-expect-error no input
  defineJob({ name: 'a', run: () => 1 });
  // @ts-expect-error no name
  defineJob({ input: z.string(), run: () => 1 });
  // @ts-expect-error an output that does not fit its schema
  defineJob({ name: 'a', input: z.string(), output: z.object({ n: z.number() }), run: () => ({ n: 'one' }) });
  // @ts-expect-error a payload is not a Date, though the input is
  defineJob({ name: 'a', input: z.date(), run: (_step, date) => date.getTime() });
}

export function looselyTypedHandles(durably: Durably): void {
  typed<JobHandle | undefined>()(durably.getJob('order'));
  typed<JobHandle>()(
    durably.register({ order: defineJob({ name: 'x' as string, input: z.unknown(), run: (): unknown => 1 }) })
      .order,
  );
}

const dated = z.object({ at: z.date(), n: z.number().default(1) });
defineJob({
  name: 'dated',
  input: dated,
  schedule: { cron: '@daily', input: { at: new Date() } },
  run: () => 1,
});
// @ts-expect-error the input of a schedule is that of its job
defineJob({ name: 'dated', input: dated, schedule: { cron: '@daily', input: { at: 1 } }, run: () => 1 });
// @ts-expect-error a duration is a number and a unit
defineJob({ name: 'dated', input: dated, schedule: { every: 'an hour' }, run: () => 1 });

export async function schedulesAreTyped(durably: Durably): Promise<void> {
  typed<Promise<Schedule>>()(durably.schedule({ id: 'nightly', jobName: 'order', cron: '@daily' }));
  typed<string | null>()((await durably.fireSchedule('nightly')).scheduledFor);
}
