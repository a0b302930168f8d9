import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { anchorsOf, exists, proseOf, ROOT, readDocument, readDocuments } from './markdown.ts';

interface Link {
  readonly from: string;
  readonly path: string;
  readonly anchor: string | undefined;
}

const examples = readdirSync(join(ROOT, 'examples'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('README.md'))
  .map((name) => readDocument(posix.join('examples', name.replaceAll('\\', '/'))));

const links = [...readDocuments(), ...examples].flatMap((document): Link[] =>
  [...proseOf(document).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^https?:/.test(target))
    .map((target) => {
      const [path = '', anchor] = target.split('#');
      const from = document.path;
      return { from, anchor, path: path === '' ? from : posix.join(posix.dirname(from), path) };
    }),
);

function packedFiles(): readonly string[] {
  const answer = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const parsed = JSON.parse(answer);
  // npm returns a list of packages, or an object of them by name.
  const [packed] = Object.values<{ files: { path: string }[] }>(parsed);
  return packed?.files.map(({ path }) => path) ?? [];
}

describe('a link in the documentation', () => {
  it.each(links)('has a target: $path#$anchor, from $from', ({ path, anchor }) => {
    expect(exists(path), path).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(readDocument(path))).toContain(anchor);
  });

  it('leads from the index and from the README to each page', () => {
    const pages = readDocuments().filter(({ path }) => /^docs\/[^/]+\.md$/.test(path));
    for (const index of ['docs/README.md', 'README.md']) {
      const linked = links.filter(({ from }) => from === index).map(({ path }) => path);
      const missing = pages.filter(({ path }) => path !== index && !linked.includes(path));
      expect(
        missing.map(({ path }) => path),
        index,
      ).toEqual([]);
    }
  });

  it('stays within the packed package', () => {
    const files = packedFiles();
    expect(files).toContain('README.md');
    const isPacked = (path: string) => files.some((file) => file === path || file.startsWith(`${path}/`));
    expect(links.filter(({ path }) => !isPacked(path))).toEqual([]);
  });
});
