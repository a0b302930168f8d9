import { PluginError } from '../../core/errors/errors.ts';
import { decodeJson, encodeJson } from '../../core/json/json.ts';
import type { DurablyPlugin, PluginTrigger } from '../../core/plugins/plugin.ts';
import type { Labels } from '../../core/triggers/labels.ts';
import type { NewRun } from '../../core/triggers/new-run.ts';
import type { Plugins } from './plugins.ts';

/** The most bytes of JSON that a plugin stores with a run. */
const MAX_DATA_BYTES = 4 * 1024;

/** How a run comes to be triggered, besides what it is. */
export type TriggerOrigin = Pick<PluginTrigger, 'kind'> &
  Partial<Pick<PluginTrigger, 'parentRunId' | 'sourceRunId'>>;

type Triggered = Pick<NewRun, 'jobName' | 'payload' | 'labels' | 'concurrencyKey'> &
  Partial<Pick<NewRun, 'id' | 'idempotencyKey'>>;

/**
 * Calls `onTrigger` of the plugins, one after the other. Returns what they store with the run, by their names: JSON text.
 * Undefined if that is nothing.
 *
 * @throws what a plugin throws to refuse the trigger. @throws {PluginError} for data that can't be stored, or if one takes too long.
 */
export async function announceTrigger(
  { triggering }: Pick<Plugins, 'triggering'>,
  run: Triggered,
  origin: TriggerOrigin,
): Promise<string | undefined> {
  if (triggering === undefined) return undefined;
  const trigger = new Trigger(run, origin);
  const stored: string[] = [];
  for (const plugin of triggering) {
    const data: unknown = await plugin.onTrigger?.(trigger);
    if (data !== undefined) stored.push(`${JSON.stringify(plugin.name)}:${encodeData(plugin, data)}`);
  }
  return stored.length === 0 ? undefined : `{${stored.join(',')}}`;
}

/** What the plugin has stored with a run. */
export function readPluginData(pluginData: string | null | undefined, name: string): unknown {
  if (pluginData == null) return undefined;
  const all = decodeJson(pluginData) as Readonly<Record<string, unknown>>;
  return Object.hasOwn(all, name) ? all[name] : undefined;
}

function encodeData({ name }: DurablyPlugin, data: unknown): string {
  const encoding = encodeJson(data, { maxBytes: MAX_DATA_BYTES });
  if (encoding.ok && encoding.text !== undefined) return encoding.text;
  const reason = encoding.ok ? 'it is no JSON' : encoding.reason;
  throw new PluginError(name, `returned data that can't be stored: ${reason}`);
}

class Trigger implements PluginTrigger {
  readonly kind: PluginTrigger['kind'];
  readonly runId: string | undefined;
  readonly jobName: string;
  readonly labels: Labels;
  readonly idempotencyKey: string | null;
  readonly concurrencyKey: string | null;
  readonly parentRunId: string | null;
  readonly sourceRunId: string | null;
  readonly #payload: string;
  #input: { readonly value: unknown } | undefined;

  constructor(run: Triggered, { kind, parentRunId = null, sourceRunId = null }: TriggerOrigin) {
    this.kind = kind;
    this.runId = run.id;
    this.jobName = run.jobName;
    this.labels = (decodeJson(run.labels) ?? {}) as Labels;
    this.idempotencyKey = run.idempotencyKey ?? null;
    this.concurrencyKey = run.concurrencyKey;
    this.parentRunId = parentRunId;
    this.sourceRunId = sourceRunId;
    this.#payload = run.payload;
  }

  get input(): unknown {
    this.#input ??= { value: decodeJson(this.#payload) };
    return this.#input.value;
  }
}
