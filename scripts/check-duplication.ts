/**
 * npm run check -- duplication: finds code that was copied, by its tokens, so
 * that spaces and comments don't hide it.
 *
 * It is jscpd's detector and tokenizer without jscpd's command: four packages
 * instead of 228 (version 4) or a binary for each platform (version 5).
 *
 * 50 tokens are jscpd's own threshold, some eight lines here. Below it most of
 * what is found only looks alike: declarations of the same shape. A test is to be
 * read by itself and may repeat its preparation, so what lies outside of src/ may repeat twice as much.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { Detector, type IMapFrame, type IStore, weak } from '@jscpd/core';
import { Tokenizer } from '@jscpd/tokenizer';

interface Scope {
  readonly folders: readonly string[];
  readonly minTokens: number;
}

const SCOPES: readonly Scope[] = [
  { folders: ['src'], minTokens: 50 },
  { folders: ['test', 'bench', 'scripts', 'examples'], minTokens: 100 },
];

/** jscpd's own store makes an error with a stack for each token that it does not know yet. */
class PassageStore implements IStore<IMapFrame> {
  readonly #known = new Map<string, IMapFrame>();

  namespace(): void {}

  get(key: string): Promise<IMapFrame> {
    const known = this.#known.get(key);
    // jscpd expects a rejection; nobody looks at its reason.
    return known === undefined ? Promise.reject() : Promise.resolve(known);
  }

  async set(key: string, passage: IMapFrame): Promise<IMapFrame> {
    this.#known.set(key, passage);
    return passage;
  }

  close(): void {}
}

async function findCopies({ folders, minTokens }: Scope): Promise<string[]> {
  const options = {
    minTokens,
    minLines: 1,
    maxLines: Number.POSITIVE_INFINITY,
    mode: weak,
    // jscpd's own is written in JavaScript.
    hashFunction: (text: string) => createHash('sha1').update(text).digest('hex'),
  };
  const detector = new Detector(new Tokenizer(), new PassageStore(), [], options);
  const copies: string[] = [];
  for (const file of sourcesIn(folders)) {
    const text = withoutImports(readFileSync(file, 'utf8'));
    for (const { duplicationA: copy, duplicationB: first } of await detector.detect(
      file,
      text,
      'typescript',
    )) {
      const lines = `${copy.start.line}-${copy.end.line}`;
      copies.push(`${copy.sourceId}:${lines} repeats ${first.sourceId}:${first.start.line}`);
    }
  }
  return copies;
}

/** Those that git has or would take. */
function sourcesIn(folders: readonly string[]): string[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '--', ...folders];
  const listed = execFileSync('git', args, { encoding: 'utf8' }).split('\n');
  return listed.filter((name) => /(?<!\.generated)\.ts$/.test(name) && existsSync(name));
}

/** The imports of two files may be the same. Their lines stay, so that the others keep their numbers. */
function withoutImports(text: string): string {
  return text.replace(/^(?:import|export) [^;]*? from [^;]*;$/gm, (block) => block.replace(/[^\n]/g, ''));
}

const copies = (await Promise.all(SCOPES.map(findCopies))).flat();
if (copies.length > 0) {
  console.error(`${copies.join('\n')}\n\nGive what is the same one place, and call it from both.`);
  process.exitCode = 1;
}
