import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from './markdown.ts';

interface Exported {
  readonly door: string;
  readonly name: string;
  readonly file: string;
}

const DOORS = [
  'index',
  'server',
  'hono',
  'client',
  'sqlite',
  'remote',
  'metrics',
  'crypto',
  'testing',
  'webhooks',
  'opentelemetry',
].map((door) => `src/${door}.ts`);

const exported = DOORS.flatMap((door): Exported[] => {
  const text = readFileSync(join(ROOT, door), 'utf8');
  return [...text.matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)';/gm)].flatMap(
    ([, names = '', path = '']) =>
      names
        .split(',')
        .map((name) => name.replace('type ', '').trim())
        .filter((name) => name !== '')
        .map((name) => ({ door, name, file: join(dirname(door), path) })),
  );
});

/** The text of a name's declaration, and the comment that stands before it. */
function declarationOf({ name, file }: Exported): { readonly comment: string; readonly text: string } {
  const source = readFileSync(join(ROOT, file), 'utf8');
  const pattern = new RegExp(
    `(/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/\\n)?^export (?:async )?(function|class|interface|type|const) ${name}\\b[\\s\\S]*?(?:;$|^\\}\\n)`,
    'm',
  );
  const [text, comment = '', kind] = pattern.exec(source) ?? [];
  if (text === undefined) throw new Error(`${file} does not declare ${name}`);
  return { comment, text: kind === 'interface' ? text.slice(comment.length) : '' };
}

/** The members of an interface that no comment explains. */
function silentMembers(text: string): string[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    const [, member] = /^ {2}(?:readonly )?(\w+)(?:\?|<[^>]*>)?[:(]/.exec(line) ?? [];
    return member === undefined || /\*\/$/.test(lines[index - 1] ?? '') ? [] : [member];
  });
}

describe('what the doors export', () => {
  it.each(exported)('is explained: $name of $door', (each) => {
    expect(declarationOf(each).comment).toMatch(/\/\*\*[\s\S]*\w+ \w+/);
  });

  const called = exported.filter(({ name }) =>
    /(Options|Auth|^Durably|^JobHandle|^StepContext|^Logger|^Database)$/.test(name),
  );

  it.each(called)('is explained member by member: $name of $door', (each) => {
    const { text } = declarationOf(each);
    expect(text).not.toBe('');
    expect(silentMembers(text)).toEqual([]);
  });

  it('shows how each function is used', () => {
    const functions = exported.filter(({ name }) => /^[a-z]/.test(name));
    expect(functions.length).toBeGreaterThan(5);
    const silent = functions.filter((each) => !declarationOf(each).comment.includes('@example'));
    expect(silent.map(({ name }) => name)).toEqual([]);
  });
});
