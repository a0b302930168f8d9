import type { Command } from 'commander';
import { duration, label, readJson, wholeNumber } from '../arguments.ts';
import type { ExitCode } from '../exit.ts';
import { sessionOf } from '../session.ts';
import { watchRun } from './watching.ts';

interface TriggerFlags {
  readonly input?: string;
  readonly watch?: boolean;
  readonly idempotencyKey?: string;
  readonly concurrencyKey?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly delay?: ReturnType<typeof duration>;
  readonly runAt?: string;
  readonly priority?: number;
  readonly ttl?: ReturnType<typeof duration>;
  readonly timeout?: ReturnType<typeof duration>;
  readonly webhook?: string;
}

/** Adds `trigger`. */
export function addTrigger(program: Command, end: (code: ExitCode) => void): void {
  program
    .command('trigger <job>')
    .description('Trigger a run of a job')
    .option('-i, --input <json>', 'its input: JSON, @file, or - for the standard input')
    .option('-w, --watch', 'follow the run until it ends, as durably watch does')
    .option('--idempotency-key <key>', 'a second trigger with this key returns the first run')
    .option('--concurrency-key <key>', 'runs with this key run one at a time')
    .option('-l, --label <key=value>', 'a label; may be repeated', label)
    .option('--delay <duration>', 'how long the run waits: 30s, 2h', duration)
    .option('--run-at <time>', 'the run waits until then: ISO 8601 with a time zone')
    .option('--priority <number>', 'from -1000 to 1000; higher ones come first', wholeNumber)
    .option('--ttl <duration>', 'the run fails if it was not started in this time', duration)
    .option('--timeout <duration>', 'the run fails if it has not ended in this time', duration)
    .option('--webhook <url>', 'is told how the run ends, if the service allows it')
    .addHelpText(
      'after',
      `\nExamples:\n  $ durably trigger import-csv --input '{"file": "airports.csv"}' --watch\n  $ durably trigger greet --input @input.json --label org=1`,
    )
    .action(async (jobName: string, flags: TriggerFlags, command: Command) => {
      const { input, watch, label: labels, ...options } = flags;
      const session = sessionOf(command);
      const payload = await readJson('--input', input);
      const triggered = await session.client.trigger(jobName, payload, {
        idempotencyKey: options.idempotencyKey,
        concurrencyKey: options.concurrencyKey,
        labels,
        delay: options.delay,
        runAt: options.runAt,
        priority: options.priority,
        ttl: options.ttl,
        timeout: options.timeout,
        webhook: options.webhook === undefined ? undefined : { url: options.webhook },
      });
      const { runId, disposition } = triggered;
      session.show(triggered, () => `${runId} ${session.colors.dim(disposition)}`);
      if (watch === true) end(await watchRun(session, runId));
    });
}
