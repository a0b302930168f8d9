import type { JobInfo } from '../../client.ts';
import { inSentence } from '../parts/names.ts';
import { textOf } from '../parts/notice.tsx';
import { tell } from '../parts/toasts.tsx';
import { client } from '../service/connection.ts';

/** Pauses a job, or lets it go on. */
export function PauseButton({ job, again }: { readonly job: JobInfo; readonly again: () => void }) {
  const verb = job.paused ? 'Resume' : 'Pause';
  const act = async () => {
    try {
      if (job.paused) await client.peek().resumeJob(job.name);
      else await client.peek().pauseJob(job.name);
      tell(
        'done',
        `${inSentence(job.name)} ${job.paused ? 'goes on' : 'is paused: no run of it is started'}`,
      );
    } catch (error) {
      tell('failed', `${verb} ${inSentence(job.name)}: ${textOf(error)}`);
    }
    again();
  };
  return (
    <button type="button" aria-label={`${verb} ${job.name}`} onClick={act}>
      {verb}
    </button>
  );
}
