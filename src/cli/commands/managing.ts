import type { Command } from 'commander';
import type { JobInfo, Schedule } from '../../client.ts';
import { onOneLine } from '../../core/errors/log-text.ts';
import { UsageError } from '../exit.ts';
import { type Session, sessionOf } from '../session.ts';
import { durationText, STATUSES, table, timeText } from '../view/texts.ts';

/** Adds what is about jobs and schedules: `jobs`, `schedules`, `pause`, `resume`. */
export function addManaging(program: Command): void {
  program
    .command('jobs')
    .description('List the jobs of the service, with the numbers of their runs')
    .action(async (_flags, command: Command) => {
      const session = sessionOf(command);
      list(session, await session.client.getJobs(), { row: jobRow, none: 'no jobs' });
    });

  program
    .command('schedules')
    .description('List all schedules, each with its next time')
    .action(async (_flags, command: Command) => {
      const session = sessionOf(command);
      list(session, await session.client.getSchedules(), { row: scheduleRow, none: 'no schedules' });
    });

  for (const [name, description] of [
    ['pause', 'Start no runs of a job, or fire no slot of a schedule, from now on'],
    ['resume', 'Go on with a paused job or schedule'],
  ] as const) {
    program
      .command(`${name} [job]`)
      .description(description)
      .option('--schedule <id>', 'the schedule, in place of a job')
      .action(async (job: string | undefined, { schedule }: { schedule?: string }, command: Command) => {
        const { client, show } = sessionOf(command);
        if (schedule !== undefined && job === undefined) {
          await (name === 'pause' ? client.pauseSchedule(schedule) : client.resumeSchedule(schedule));
          show({ schedule, paused: name === 'pause' }, () => `schedule ${schedule} ${name}d`);
        } else if (job !== undefined && schedule === undefined) {
          await (name === 'pause' ? client.pauseJob(job) : client.resumeJob(job));
          show({ job, paused: name === 'pause' }, () => `job ${job} ${name}d`);
        } else
          throw new UsageError(
            'name either a job or a schedule: durably pause <job>, durably pause --schedule <id>',
          );
      });
  }
}

function list<T>(
  session: Session,
  values: readonly T[],
  { row, none }: { readonly row: (value: T, session: Session) => string[]; readonly none: string },
): void {
  if (session.format === 'json') for (const value of values) session.show(value, String);
  else if (values.length === 0) session.print(none);
  else for (const line of table(values.map((value) => row(value, session)))) session.print(line);
}

function jobRow({ name, version, paused, counts }: JobInfo, { colors }: Session): string[] {
  const numbers = STATUSES.flatMap((status) => {
    const count = counts?.[status] ?? 0;
    return count === 0 ? [] : [`${count} ${status}`];
  });
  return [
    onOneLine(name),
    paused ? colors.yellow('paused') : '',
    colors.dim(version === 1 ? '' : `version ${version}`),
    numbers.join(', '),
  ];
}

function scheduleRow(schedule: Schedule, { colors }: Session): string[] {
  const { id, jobName, cron, every, timezone, isPaused, next } = schedule;
  const rule = cron === null ? `every ${durationText(every ?? 0)}` : `${cron} (${timezone})`;
  return [
    onOneLine(id),
    onOneLine(jobName),
    rule,
    isPaused ? colors.yellow('paused') : `next ${timeText(next[0] ?? null) || 'never'}`,
  ];
}
