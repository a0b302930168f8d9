import type { Command } from 'commander';
import type { LogLine, Run, RunFilter } from '../../client.ts';
import { onOneLine } from '../../core/errors/log-text.ts';
import { LOG_LEVELS, type LogLevel } from '../../core/log-line.ts';
import { again, label, status, wholeNumber } from '../arguments.ts';
import { UsageError } from '../exit.ts';
import { findRunId } from '../run-ids.ts';
import { readRunTree } from '../run-tree.ts';
import { type Session, sessionOf } from '../session.ts';
import { tookText, treeLines } from '../view/run-tree.ts';
import { jsonText, statusText, table, timeText } from '../view/texts.ts';

const LOG_PAGE = 1_000;

interface RunsFlags {
  readonly job?: readonly string[];
  readonly status?: RunFilter['status'];
  readonly label?: Readonly<Record<string, string>>;
  readonly after?: string;
  readonly before?: string;
  readonly search?: string;
  readonly parent?: string;
  readonly limit: number;
}

/** Adds what only reads: `runs`, `run`, `logs`. */
export function addReading(program: Command): void {
  program
    .command('runs')
    .description('List runs, newest first')
    .option('-j, --job <name>', 'only of this job; may be repeated', again)
    .option('-s, --status <status>', 'only in this status; may be repeated, or split by commas', status)
    .option('-l, --label <key=value>', 'only with this label; may be repeated', label)
    .option('--after <time>', 'only created after it: ISO 8601 with a time zone')
    .option('--before <time>', 'only created before it')
    .option('-q, --search <text>', 'only with this text')
    .option('--parent <id>', 'only the runs that this run has started')
    .option('-n, --limit <number>', 'how many', wholeNumber, 20)
    .addHelpText('after', '\nExample:\n  $ durably runs --status failed,cancelled --job import-csv')
    .action(async (flags: RunsFlags, command: Command) => await listRuns(sessionOf(command), flags));

  program
    .command('run <id>')
    .description('Show a run, its steps and the runs below it. The beginning of an id is enough')
    .action(async (id: string, _flags, command: Command) => {
      const session = sessionOf(command);
      const runId = await findRunId(session.client, id);
      const tree = await readRunTree(session.client, runId);
      session.show(tree, () => treeLines(tree, session.colors).join('\n'));
    });

  program
    .command('logs <id>')
    .description('Print the log lines of a run')
    .option('-f, --follow', 'go on until the run ends')
    .option('--level <level>', `only this level: ${LOG_LEVELS.join(', ')}`)
    .action(
      async (id: string, flags: { readonly follow?: boolean; readonly level?: string }, command: Command) => {
        const level = LOG_LEVELS.find((each) => each === flags.level);
        if (flags.level !== undefined && level === undefined) {
          throw new UsageError(`--level must be one of ${LOG_LEVELS.join(', ')}, not ${flags.level}`);
        }
        const session = sessionOf(command);
        const runId = await findRunId(session.client, id);
        for await (const line of flags.follow === true
          ? followed(session, runId, level)
          : stored(session, runId, level)) {
          session.show(line, () => logText(line, session));
        }
      },
    );
}

async function listRuns(session: Session, { limit, ...flags }: RunsFlags): Promise<void> {
  const filter = {
    parentRunId: flags.parent && (await findRunId(session.client, flags.parent)),
    jobName: flags.job,
    status: flags.status,
    labels: flags.label,
    createdAfter: flags.after,
    createdBefore: flags.before,
    q: flags.search,
    limit: Math.min(limit, 1_000),
  };
  const runs: Run[] = [];
  for await (const page of session.client.runPages(filter)) {
    runs.push(...page.slice(0, limit - runs.length));
    if (runs.length >= limit) break;
  }
  if (session.format === 'json') for (const run of runs) session.show(run, String);
  else if (runs.length === 0) session.print('no runs');
  else for (const line of table(runs.map((run) => rowOf(run, session)))) session.print(line);
}

function rowOf(run: Run, { colors }: Session): string[] {
  const note = run.error === null ? '' : colors.red(onOneLine(run.error).slice(0, 80));
  const job = onOneLine(run.jobName);
  return [run.id, statusText(run.status, colors), job, timeText(run.createdAt), tookText(run), note];
}

async function* stored(
  { client }: Session,
  runId: string,
  level: LogLevel | undefined,
): AsyncGenerator<LogLine> {
  let after: number | undefined;
  for (;;) {
    const lines = await client.getLogs({ runId, level, after, limit: LOG_PAGE });
    yield* lines;
    if (lines.length < LOG_PAGE) return;
    after = lines.at(-1)?.sequence;
  }
}

async function* followed(
  { client }: Session,
  runId: string,
  level: LogLevel | undefined,
): AsyncGenerator<LogLine> {
  for await (const event of client.run(runId).events()) {
    if (event.type !== 'log:write' || (level !== undefined && event.level !== level)) continue;
    const { sequence, stepName, message, data, timestamp } = event;
    yield { sequence, stepName, level: event.level, message, data, createdAt: timestamp };
  }
}

function logText({ createdAt, level, stepName, message, data }: LogLine, { colors }: Session): string {
  const color = { info: colors.dim, warn: colors.yellow, error: colors.red }[level];
  const step = stepName === null ? '' : colors.dim(` ${onOneLine(stepName)}:`);
  const more = data === null ? '' : ` ${colors.dim(jsonText(data, 2_000))}`;
  return `${colors.dim(timeText(createdAt))} ${color(level.padEnd(5))}${step} ${onOneLine(message)}${more}`;
}
