import { ValidationError } from '../../core/errors/errors.ts';
import { EVENT_TYPES } from '../../core/events.ts';
import type { DurablyPlugin } from '../../core/plugins/plugin.ts';
import { type Clock, systemClock } from '../../core/time/clock.ts';
import type { MembersOf } from '../../core/validation/known-names.ts';
import { nearestName } from '../../core/validation/known-names.ts';
import { shownValue } from '../../core/validation/shown-value.ts';
import type { Webhooks } from '../../core/webhooks/webhooks.ts';
import { Codec } from './codec.ts';
import { callInTime, NEEDED_WITHIN_MS } from './in-time.ts';

/** The plugins of an instance, by what they do. A member is undefined if none does that, so that nothing is done for it. */
export interface Plugins {
  readonly triggering: readonly DurablyPlugin[] | undefined;
  readonly aroundRun: readonly DurablyPlugin[] | undefined;
  readonly aroundStep: readonly DurablyPlugin[] | undefined;
  readonly observing: readonly DurablyPlugin[] | undefined;
  readonly codec: Codec | undefined;
  /** Not of `use`: the engine asks it whether a run may have a webhook. */
  readonly webhooks?: Webhooks | undefined;
}

export const NO_PLUGINS: Plugins = {
  triggering: undefined,
  aroundRun: undefined,
  aroundStep: undefined,
  observing: undefined,
  codec: undefined,
};

const MEMBERS: MembersOf<DurablyPlugin> = {
  name: true,
  onTrigger: true,
  aroundRun: true,
  aroundStep: true,
  encode: true,
  decode: true,
  onEvent: true,
  events: true,
};
const { name: _name, events: _events, ...HOOKS } = MEMBERS;
const NAME = /^[\w./-]{1,64}$/;

/**
 * @param clock measures how long hooks take
 * @throws {ValidationError} that names the plugin and what is wrong with it.
 */
export function parsePlugins(
  given: readonly DurablyPlugin[] | undefined,
  clock: Clock = systemClock,
): Plugins {
  if (given === undefined || given.length === 0) return NO_PLUGINS;
  const plugins = [...given];
  for (const [index, plugin] of plugins.entries()) checkPlugin(plugin, index);
  const names = plugins.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new ValidationError(`use has two plugins with the name "${twice}"`);
  const having = (hook: keyof typeof HOOKS) => {
    const found = plugins.filter((plugin) => plugin[hook] !== undefined);
    return found.length === 0 ? undefined : found;
  };
  return {
    triggering: having('onTrigger')?.map((plugin) => triggeredInTime(plugin, clock)),
    aroundRun: having('aroundRun'),
    aroundStep: having('aroundStep'),
    observing: having('onEvent'),
    codec: Codec.of(plugins, clock),
  };
}

/** The plugin as it is called for triggers: their callers don't wait for ever. */
function triggeredInTime(plugin: DurablyPlugin, clock: Clock): DurablyPlugin {
  const { name } = plugin;
  return {
    name,
    onTrigger: (trigger) =>
      callInTime(() => plugin.onTrigger?.(trigger), {
        ...{ plugin: name, hook: 'onTrigger', withinMs: NEEDED_WITHIN_MS, clock },
      }),
  };
}

function checkPlugin(plugin: unknown, index: number): asserts plugin is DurablyPlugin {
  const place = `use[${index}]`;
  if (typeof plugin !== 'object' || plugin === null)
    throw new ValidationError(`${place} must be a plugin, not ${shownValue(plugin)}`);
  const { name } = plugin as { readonly name?: unknown };
  if (typeof name !== 'string' || !NAME.test(name)) {
    const rule = 'must have a name of 1 to 64 letters, digits and ._/-';
    throw new ValidationError(`${place} ${rule}, not ${shownValue(name)}`);
  }
  const what = `Plugin "${name}"`;
  for (const hook of Object.keys(HOOKS)) {
    const value: unknown = Reflect.get(plugin, hook);
    if (value !== undefined && typeof value !== 'function')
      throw new ValidationError(`${what}: ${hook} must be a function, not ${shownValue(value)}`);
  }
  // A plugin may have members of its own. One that looks like a hook is a mistake.
  for (const member of Object.keys(plugin)) {
    const meant = Object.hasOwn(MEMBERS, member) ? undefined : nearestName(member, Object.keys(HOOKS));
    if (meant !== undefined) throw new ValidationError(`${what} has "${member}"; did you mean "${meant}"?`);
  }
  const { encode, decode, events } = plugin as DurablyPlugin;
  const unknown = events?.find((type) => !EVENT_TYPES.includes(type));
  if (unknown !== undefined) throw new ValidationError(`${what}: unknown event type ${shownValue(unknown)}`);
  if (encode !== undefined && decode === undefined)
    throw new ValidationError(`${what} has encode without decode`);
}
