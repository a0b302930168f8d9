import { useState } from 'preact/hooks';
import type { Run } from '../../client.ts';
import { Confirm } from '../parts/dialog.tsx';
import { textOf } from '../parts/notice.tsx';
import { tell } from '../parts/toasts.tsx';
import { client } from '../service/connection.ts';
import { hrefOf, route } from '../shell/router.ts';
import { ForkDialog, RetriggerDialog, SignalDialog } from './input-dialogs.tsx';
import type { LiveRun } from './live-run.ts';

type Asked = 'cancel' | 'delete' | 'retrigger' | 'fork' | 'signal';

/** The commands that are legal for a run in its status. */
export function RunActions({ run, live }: { readonly run: Run; readonly live: LiveRun }) {
  const [asked, setAsked] = useState<Asked | undefined>();
  const close = () => setAsked(undefined);
  const act = async (name: string, command: () => Promise<unknown>) => {
    try {
      await command();
      tell('done', `${name}: done`);
      live.again();
    } catch (error) {
      tell('failed', `${name}: ${textOf(error)}`);
      live.again();
    }
  };
  const service = client.value;
  const stepName = route.value.params.get('step');
  const lane = stepName === null ? undefined : live.model.laneOf(stepName);
  const canFork = lane !== undefined && (lane.status === 'completed' || lane.status === 'failed');
  const canRunNow = run.isActive && run.startedAt === null && run.waits.some(({ kind }) => kind === 'delay');
  return (
    <div class="run-actions" role="toolbar" aria-label="Commands for this run">
      {canRunNow && (
        <button
          type="button"
          class="primary"
          onClick={() => act('Run now', () => service.reschedule(run.id, { delay: 0 }))}
        >
          Run now
        </button>
      )}
      {run.isActive && (
        <button type="button" onClick={() => setAsked('signal')}>
          Send signal
        </button>
      )}
      {run.isActive && (
        <button type="button" class="danger" onClick={() => setAsked('cancel')}>
          Cancel
        </button>
      )}
      {(run.status === 'failed' || run.status === 'cancelled') && (
        <button type="button" class="primary" onClick={() => act('Retry', () => service.retry(run.id))}>
          Retry
        </button>
      )}
      {canFork && (
        <button type="button" onClick={() => setAsked('fork')}>
          Fork from step
        </button>
      )}
      <button type="button" onClick={() => setAsked('retrigger')}>
        Retrigger
      </button>
      {run.isTerminal && (
        <button type="button" class="danger" onClick={() => setAsked('delete')}>
          Delete
        </button>
      )}
      {asked === 'cancel' && (
        <Confirm
          title="Cancel this run?"
          verb="Cancel the run"
          isDangerous
          onClose={close}
          act={async () => {
            await service.cancel(run.id);
            live.again();
          }}
        >
          <p>Its steps are aborted, and so are the runs that it has started and that are active.</p>
        </Confirm>
      )}
      {asked === 'delete' && (
        <Confirm
          title="Delete this run?"
          verb="Delete the run"
          isDangerous
          onClose={close}
          act={async () => {
            // A deleted run must not be asked for.
            live.stop();
            try {
              await service.deleteRun(run.id);
            } catch (error) {
              live.start();
              throw error;
            }
            tell('done', 'The run was deleted');
            location.hash = hrefOf('runs').slice(1);
          }}
        >
          <p>It goes with its steps, log lines and events. This can’t be undone.</p>
        </Confirm>
      )}
      {asked === 'retrigger' && <RetriggerDialog run={run} onClose={close} />}
      {asked === 'fork' && lane && <ForkDialog run={run} from={lane.name} onClose={close} />}
      {asked === 'signal' && <SignalDialog run={run} onClose={close} onSent={() => live.again()} />}
    </div>
  );
}
