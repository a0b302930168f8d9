import type { Enqueued, NewRun } from '../../../core/triggers/new-run.ts';
import { refuseMember } from '../../../core/validation/refusal.ts';
import { WEBHOOK_JOB } from '../../../core/webhooks/webhooks.ts';
import { openedEnqueued } from '../../plugins/opened-reads.ts';
import type { Plugins } from '../../plugins/plugins.ts';
import { announceTrigger, type TriggerOrigin } from '../../plugins/triggering.ts';

type Preparing = Pick<Plugins, 'triggering' | 'codec' | 'webhooks'>;

/** Whether {@link preparedRun} has anything to do. */
export function isPrepared({ triggering, codec }: Preparing, runs: readonly NewRun[]): boolean {
  return triggering !== undefined || codec !== undefined || runs.some(({ webhook }) => webhook !== undefined);
}

/** A run as it is stored: with what the plugins add, and as they encode it. @throws what a plugin throws to refuse it. */
export async function preparedRun(plugins: Preparing, run: NewRun, origin: TriggerOrigin): Promise<NewRun> {
  const webhook = run.webhook === undefined ? undefined : acceptWebhook(plugins, run.webhook);
  const pluginData = joined(webhook, await announceTrigger(plugins, run, origin));
  const payload = plugins.codec === undefined ? run.payload : await plugins.codec.seal(run.payload);
  return { ...run, payload, ...(pluginData !== undefined && { pluginData }) };
}

/** What is stored of a run's webhook: JSON text. @throws {ValidationError} */
function acceptWebhook({ webhooks }: Preparing, given: unknown): string {
  if (webhooks === undefined)
    throw refuseMember(
      'webhook',
      'is not allowed here: webhooks of single runs need DURABLY_WEBHOOK_RUN_SECRET, or ofRuns.secret of createWebhooks',
    );
  return `{${JSON.stringify(WEBHOOK_JOB)}:${webhooks.acceptOfRun(given)}}`;
}

/** One JSON object of two, neither of which is empty. No plugin has the name of the webhook's member. */
function joined(one: string | undefined, other: string | undefined): string | undefined {
  return one === undefined || other === undefined ? (one ?? other) : `${one.slice(0, -1)},${other.slice(1)}`;
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
