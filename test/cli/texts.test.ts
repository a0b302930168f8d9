import pc from 'picocolors';
import { expect, it } from 'vitest';
import { table } from '../../src/cli/view/texts.ts';

it('columns stand below each other, whatever the texts are made of', () => {
  const colors = pc.createColors(true);
  const family = '\u{1f469}\u200d\u{1f467}';
  expect(
    table([
      ['日本', 'a'],
      [family, 'b'],
      [colors.red('é'), 'c'],
      ['e\u0301x', 'd'],
      ['four', 'e'],
    ]),
  ).toEqual(['日本  a', `${family}    b`, `${colors.red('é')}     c`, 'e\u0301x    d', 'four  e']);
});
