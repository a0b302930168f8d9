import type { ValidationIssue } from '../../core/errors/errors.ts';
import { endOfString } from '../../core/json/json.ts';
import { MAX_ISSUES } from '../../core/validation/issues.ts';
import { shorten } from '../../core/validation/known-names.ts';

/** Members whose values are the caller's own data: what is in them is not looked at. */
const OWN_DATA: ReadonlySet<string> = new Set(['input', 'payload']);
const MAX_PATH_LENGTH = 256;

/** An object or a list around a place in the text. */
interface Around {
  /** Undefined in a list. */
  readonly names: Set<string> | undefined;
  /** The member or the element. */
  at: string | number;
  awaitsName: boolean;
}

/**
 * Finds the members that a valid JSON text has twice in one object. JavaScript would take the last one, and other readers of
 * the body the first one.
 */
export function duplicateMembers(text: string): ValidationIssue[] {
  const issues: ValidationIssue[] = [];
  const around: Around[] = [];
  let inner: Around | undefined;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x7b: // {
        inner = { names: new Set(), at: '', awaitsName: true };
        around.push(inner);
        break;
      case 0x5b: // [
        inner = { names: undefined, at: 0, awaitsName: false };
        around.push(inner);
        break;
      case 0x7d: // }
      case 0x5d: // ]
        around.pop();
        inner = around.at(-1);
        break;
      case 0x2c: // ,
        if (inner?.names !== undefined) inner.awaitsName = true;
        else if (typeof inner?.at === 'number') inner.at++;
        break;
      case 0x22: {
        const end = endOfString(text, i);
        if (inner?.awaitsName === true) {
          const name = nameOf(text.slice(i + 1, end));
          inner.at = name;
          inner.awaitsName = false;
          if (inner.names?.has(name) === true) issues.push(issueAt(around.map(({ at }) => at)));
          if (issues.length === MAX_ISSUES) return issues;
          inner.names?.add(name);
          i = OWN_DATA.has(name) ? endOfData(text, end + 1) : end;
        } else i = end;
        break;
      }
    }
  }
  return issues;
}

function nameOf(written: string): string {
  return written.includes('\\') ? JSON.parse(`"${written}"`) : written;
}

/** The last character of a member's value. */
function endOfData(text: string, colon: number): number {
  let depth = 0;
  for (let i = colon; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22:
        i = endOfString(text, i);
        if (depth === 0) return i;
        break;
      case 0x5b: // [
      case 0x7b: // {
        depth++;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        if (--depth === 0) return i;
        if (depth < 0) return i - 1;
        break;
      case 0x2c: // ,
        if (depth === 0) return i - 1;
        break;
    }
  }
  return text.length;
}

function issueAt(path: (string | number)[]): ValidationIssue {
  return { path, message: `${shorten(path.join('.'), MAX_PATH_LENGTH)} is in the body twice` };
}
