import type { Enqueued, NewRun } from '../../../core/triggers/new-run.ts';
import { openedEnqueued } from '../../plugins/opened-reads.ts';
import type { Plugins } from '../../plugins/plugins.ts';
import { announceTrigger, type TriggerOrigin } from '../../plugins/triggering.ts';

type Preparing = Pick<Plugins, 'triggering' | 'codec'>;

/** Whether {@link preparedRun} has anything to do. */
export function isPrepared({ triggering, codec }: Preparing): boolean {
  return triggering !== undefined || codec !== undefined;
}

/** A run as it is stored: with what the plugins add, and as they encode it. @throws what a plugin throws to refuse it. */
export async function preparedRun(plugins: Preparing, run: NewRun, origin: TriggerOrigin): Promise<NewRun> {
  const pluginData = await announceTrigger(plugins, run, origin);
  const payload = plugins.codec === undefined ? run.payload : await plugins.codec.seal(run.payload);
  return { ...run, payload, ...(pluginData !== undefined && { pluginData }) };
}

/** A stored run as its caller sees it. */
export async function shownEnqueued(
  { codec }: Pick<Plugins, 'codec'>,
  stored: Enqueued,
  { given, ready }: { readonly given: NewRun; readonly ready: NewRun },
): Promise<Enqueued> {
  if (codec === undefined) return stored;
  return await openedEnqueued(codec, stored, { given: given.payload, sealed: ready.payload });
}
