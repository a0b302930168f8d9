// Checked by the compiler only. Nothing in here is executed.
import { z } from 'zod';
import { type ClientRun, createDurablyClient, type Run } from '../../src/client.ts';
import { defineJob } from '../../src/index.ts';
import { typed } from './equal.ts';

const importCsv = defineJob({
  name: 'import-csv',
  input: z.object({ file: z.string(), since: z.date().optional(), size: z.number().default(10) }),
  output: z.object({ rows: z.number() }),
  run: () => ({ rows: 1 }),
});
const greet = defineJob({ name: 'greet', input: z.object({}), run: () => undefined });
const sendMail = defineJob({ name: 'sendMail', input: z.string(), run: () => ['sent' as const] });

const url = 'https://example.com/api/durably';
const client = createDurablyClient<{ importCsv: typeof importCsv; greet: typeof greet }>({ url });

await client.jobs.importCsv.trigger({ file: 'a.csv', since: new Date() }, { delay: '1h' });
// @ts-expect-error an input that the job's schema does not accept
await client.jobs.importCsv.trigger({ file: 5 });
// @ts-expect-error no job has this key
client.jobs.importCSV;
// @ts-expect-error a transaction does not travel
await client.jobs.greet.trigger({}, { trx: { isTransaction: true } });

typed<{ readonly id: string; readonly output: { rows: number } }>()(
  await client.jobs.importCsv.triggerAndWait({ file: 'a.csv' }),
);
typed<null>()((await client.jobs.greet.triggerAndWait({})).output);
typed<ClientRun<{ file: string; since?: string | undefined; size: number }, { rows: number }>>()(
  client.jobs.importCsv.run('run_1'),
);
typed<Pick<Run, 'id' | 'status'>[]>()(await client.getRuns({ fields: ['id', 'status'] }));
typed<Run[]>()(await client.getRuns());

// @ts-expect-error the name of this job does not follow from its key
createDurablyClient<{ sendMail: typeof sendMail }>({ url });
const named = createDurablyClient<{ sendMail: typeof sendMail }>({ url, jobNames: { sendMail: 'sendMail' } });
typed<readonly ['sent']>()((await named.jobs.sendMail.triggerAndWait('Ada')).output);
// @ts-expect-error not the name of the job
createDurablyClient<{ sendMail: typeof sendMail }>({ url, jobNames: { sendMail: 'send-mail' } });

const untyped = createDurablyClient({ url });
await untyped.trigger('greet', { any: 'thing' });
await untyped.jobs.greet?.trigger({ any: 'thing' });

for await (const event of client.run('run_1').events()) {
  if (event.type === 'run:progress') typed<number>()(event.progress.current);
}
for await (const event of client.events()) {
  // @ts-expect-error lists have no log lines
  if (event.type === 'log:write') break;
}
