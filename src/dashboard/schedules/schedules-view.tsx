import { useState } from 'preact/hooks';
import type { Schedule } from '../../client.ts';
import { formatDuration } from '../parts/clock.ts';
import { Confirm } from '../parts/dialog.tsx';
import { inSentence } from '../parts/names.ts';
import { Empty, Failure, Loading, textOf } from '../parts/notice.tsx';
import { Ago } from '../parts/time.tsx';
import { tell } from '../parts/toasts.tsx';
import { client } from '../service/connection.ts';
import { isReadOnly } from '../service/page-config.ts';
import { usePolled } from '../service/poll.ts';
import { hrefOf } from '../shell/router.ts';
import { History } from './history.tsx';

const EVERY_MS = 5000;
const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** All schedules, with their next times and their last runs. */
export function SchedulesView() {
  const { state, again } = usePolled(() => client.peek().getSchedules(), { everyMs: EVERY_MS });
  const { value, error } = state.value;
  return (
    <div class="view scrolled">
      <div class="view-head">
        <h1>Schedules</h1>
        <span class="muted">Times are in {OWN_ZONE}</span>
      </div>
      {value === undefined &&
        (error === undefined ? (
          <Loading />
        ) : (
          <Failure what="The schedules could not be read." error={error} again={again} />
        ))}
      {value?.length === 0 && (
        <Empty title="No schedules yet">
          <p>
            Give a job one with <code>defineJob(&#123; schedule &#125;)</code>, or store one with{' '}
            <code>PUT /schedule</code>.
          </p>
        </Empty>
      )}
      {value?.map((schedule) => (
        <ScheduleCard key={schedule.id} schedule={schedule} again={again} />
      ))}
    </div>
  );
}

function ScheduleCard({ schedule, again }: { readonly schedule: Schedule; readonly again: () => void }) {
  const { id, jobName, isPaused, timezone, next } = schedule;
  return (
    <section class="schedule" aria-label={`Schedule ${id}`}>
      <div class="schedule-head">
        <h2>{id}</h2>
        <a href={hrefOf('job', jobName)}>{jobName}</a>
        <code>{ruleOf(schedule)}</code>
        {isPaused && <span class="tag is-waiting">paused</span>}
        {schedule.isFixed && <span class="tag muted">in the job’s definition</span>}
        {!isReadOnly && <Buttons schedule={schedule} again={again} />}
      </div>
      <div class="schedule-body">
        <div>
          <h3>{isPaused ? 'Would come' : 'Next'}</h3>
          {next.length === 0 && <p class="muted">None: it has ended.</p>}
          <ol class="slots num">
            {next.map((at, i) => (
              <li key={at}>
                <time dateTime={at} title={at}>
                  {inZone(at, OWN_ZONE)}
                </time>
                {timezone !== OWN_ZONE && (
                  <span class="muted">
                    {inZone(at, timezone)} {timezone}
                  </span>
                )}
                {i === 0 && (
                  <span class="muted">
                    <Ago at={at} />
                  </span>
                )}
              </li>
            ))}
          </ol>
        </div>
        <History id={id} />
      </div>
    </section>
  );
}

function ruleOf({ cron, every, timezone, missed, overlap }: Schedule): string {
  const when = cron === null ? `every ${formatDuration(every ?? 0)}` : `${cron} (${timezone})`;
  return [when, missed !== 'skip' && `missed: ${missed}`, overlap !== 'allow' && `overlap: ${overlap}`]
    .filter(Boolean)
    .join(' · ');
}

const formats = new Map<string, Intl.DateTimeFormat>();

function inZone(at: string, timeZone: string): string {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat(undefined, {
      weekday: 'short',
      month: 'short',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
      timeZone,
    });
    formats.set(timeZone, format);
  }
  return format.format(new Date(at));
}

function Buttons({ schedule, again }: { readonly schedule: Schedule; readonly again: () => void }) {
  const { id, isPaused, isFixed } = schedule;
  const [isAsked, setAsked] = useState(false);
  const service = client.value;
  const act = async (verb: string, command: () => Promise<{ readonly runId: string } | undefined | void>) => {
    try {
      const made = await command();
      tell('done', `${verb}: ${inSentence(id)}`, made ? hrefOf('run', made.runId) : undefined);
    } catch (error) {
      tell('failed', `${verb} ${inSentence(id)}: ${textOf(error)}`);
    }
    again();
  };
  return (
    <span class="view-end">
      <button
        type="button"
        aria-label={`Fire now: ${id}`}
        onClick={() => act('Fired', () => service.fireSchedule(id))}
      >
        Fire now
      </button>
      <button
        type="button"
        aria-label={`${isPaused ? 'Resume' : 'Pause'} ${id}`}
        onClick={() =>
          isPaused
            ? act('Resumed', () => service.resumeSchedule(id))
            : act('Paused', () => service.pauseSchedule(id))
        }
      >
        {isPaused ? 'Resume' : 'Pause'}
      </button>
      {!isFixed && (
        <button type="button" class="danger" aria-label={`Delete ${id}`} onClick={() => setAsked(true)}>
          Delete
        </button>
      )}
      {isAsked && (
        <Confirm
          title={`Delete the schedule ${inSentence(id)}?`}
          verb="Delete the schedule"
          isDangerous
          onClose={() => setAsked(false)}
          act={async () => {
            await service.deleteSchedule(id);
            again();
          }}
        >
          <p>Its runs stay.</p>
        </Confirm>
      )}
    </span>
  );
}
