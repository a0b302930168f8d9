import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** Writes a generated file, or with `check` only says whether the one on disk is still what would be written. */
export function writeOrCheck(file: { path: string; content: string; command: string; check: boolean }): void {
  const fresh = existsSync(file.path) && readFileSync(file.path, 'utf8') === file.content;
  if (fresh) {
    console.log(`${file.path} is up to date`);
  } else if (file.check) {
    console.error(`${file.path} is stale: run \`${file.command}\` and commit the result`);
    process.exitCode = 1;
  } else {
    writeFileSync(file.path, file.content);
    console.log(`wrote ${file.path}`);
  }
}
