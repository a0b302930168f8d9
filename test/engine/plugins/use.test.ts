import { describe, expect, test } from 'vitest';
import { ValidationError } from '../../../src/core/errors/errors.ts';
import { NO_PLUGINS, parsePlugins } from '../../../src/engine/plugins/plugins.ts';

describe('the option use', () => {
  const good = { name: 'a' };
  const refused: [unknown, string][] = [
    [[good, 1], 'use[1] must be a plugin, not 1'],
    [[{}], 'use[0] must have a name of 1 to 64 letters, digits and ._/-, not undefined'],
    [[{ name: 'a b' }], 'use[0] must have a name of 1 to 64 letters, digits and ._/-, not "a b"'],
    [[good, good], 'use has two plugins with the name "a"'],
    [[{ name: 'a', onEvent: 1 }], 'Plugin "a": onEvent must be a function, not 1'],
    [[{ name: 'a', aroundSteps: () => 1 }], 'Plugin "a" has "aroundSteps"; did you mean "aroundStep"?'],
    [[{ name: 'a', encode: (text: string) => text }], 'Plugin "a" has encode without decode'],
  ];

  test.each(refused)('refuses what is no plugin, by name: %j', (use, message) => {
    expect(() => parsePlugins(use as never)).toThrow(new ValidationError(message));
  });

  test('takes plugins with members of their own', () => {
    class Counter {
      readonly name = 'counter';
      readonly #counted: string[] = [];
      get counted() {
        return this.#counted;
      }
      onEvent({ type }: { readonly type: string }) {
        this.#counted.push(type);
      }
    }
    const counter = new Counter();
    expect(parsePlugins([counter])).toEqual({ ...NO_PLUGINS, observing: [counter] });
  });

  test('makes nothing of no plugins, so that nothing is done for them', () => {
    expect(parsePlugins(undefined)).toBe(NO_PLUGINS);
    expect(parsePlugins([])).toBe(NO_PLUGINS);
  });
});
