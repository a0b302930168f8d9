import type { DurablyPlugin } from '../core/plugins/plugin.ts';
import type { Activity } from './activity.ts';

/** The plugin, whose work on triggers and payloads is watched: it may take real time. */
export function watchedPlugin(plugin: DurablyPlugin, activity: Activity): DurablyPlugin {
  const { onTrigger, encode, decode } = plugin;
  return {
    ...hooksOf(plugin),
    ...(onTrigger && { onTrigger: (trigger) => activity.plugin(() => onTrigger.call(plugin, trigger)) }),
    ...(encode && { encode: (text) => activity.plugin(() => encode.call(plugin, text)) }),
    ...(decode && { decode: (text) => activity.plugin(() => decode.call(plugin, text)) }),
  };
}

/** A plugin may be an instance of a class. */
function hooksOf(plugin: DurablyPlugin): DurablyPlugin {
  const { name, aroundRun, aroundStep, onEvent, events } = plugin;
  return {
    name,
    ...(aroundRun && { aroundRun: aroundRun.bind(plugin) }),
    ...(aroundStep && { aroundStep: aroundStep.bind(plugin) }),
    ...(onEvent && { onEvent: onEvent.bind(plugin) }),
    ...(events && { events }),
  };
}
