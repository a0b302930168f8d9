import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

export interface Document {
  /** The path from the repository's root, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** A fenced block of code. */
export interface Block {
  readonly document: string;
  /** The line number of its first line of code. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

/** The documents for users: the README, the changelog and everything in docs/. */
export function readDocuments(): readonly Document[] {
  const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name.replaceAll('\\', '/')}`);
  return ['README.md', 'CHANGELOG.md', ...docs].map(readDocument);
}

export function readDocument(path: string): Document {
  return { path, text: readFileSync(join(ROOT, path), 'utf8') };
}

export function blocksOf({ path, text }: Document): readonly Block[] {
  const blocks: Block[] = [];
  let open: { language: string; line: number; code: string[] } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^```(\w*)$/.exec(line);
    if (fence === null) open?.code.push(line);
    else if (open === undefined) open = { language: fence[1] ?? '', line: index + 2, code: [] };
    else {
      blocks.push({ document: path, line: open.line, language: open.language, code: open.code.join('\n') });
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`${path}:${open.line}: the block is never closed`);
  return blocks;
}

export function blocksIn(language: string, documents = readDocuments()): readonly Block[] {
  return documents.flatMap(blocksOf).filter((block) => block.language === language);
}

/** The file to save a block as, if its first line names one. */
export function fileNameOf({ code }: Block): string | undefined {
  return /^(?:\/\/|#) (\S+)(?:\n|$)/.exec(code)?.[1];
}

/** Text without code blocks, since a link in a code block is not a link. */
export function proseOf({ text }: Document): string {
  return text.replace(/^```[\s\S]*?^```$/gm, '');
}

/** The anchors that GitHub generates for a document's headings. */
export function anchorsOf(document: Document): readonly string[] {
  return [...proseOf(document).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}

/** The commands of a shell block, without comments. A quoted text that spans several lines stays one command. */
export function shellCommandsOf({ code }: Block): readonly string[] {
  const commands: string[] = [];
  let pending: string | undefined;
  for (const line of code.split('\n')) {
    pending = pending === undefined ? line.replace(/\s+# .*$/, '').trim() : `${pending}\n${line}`;
    if (pending.split("'").length % 2 === 0) continue;
    if (pending !== '') commands.push(pending);
    pending = undefined;
  }
  return commands;
}

export function exists(path: string): boolean {
  return existsSync(join(ROOT, path));
}
