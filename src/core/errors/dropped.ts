import { ignoreRejection, isA, isError, isList, readField } from './thrown.ts';

/** How many parts of a value are looked at. */
const MAX_PARTS = 1_000;

/**
 * Takes the rejections of a value that is refused or dropped: nobody awaits it, so the rejection of a promise would end the
 * process. The value may be a promise, an error whose cause is one, or a list or an object that holds some. Calls no getters
 * but those of errors. Never throws.
 */
export function dropPromises(value: unknown): void {
  if (ignoreRejection(value)) return;
  if (typeof value !== 'object' || value === null) return;
  const parts: object[] = [value];
  const seen = new Set<unknown>(parts);
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at] ?? {};
    const told = isError(part) ? [readField(part, 'cause'), readField(part, 'errors')] : [];
    for (const inner of [...told, ...membersOf(part)]) {
      if (typeof inner !== 'object' || inner === null || seen.has(inner) || seen.size > MAX_PARTS) continue;
      seen.add(inner);
      if (isA(inner, Promise)) ignoreRejection(inner);
      else parts.push(inner);
    }
  }
}

function membersOf(part: object): readonly unknown[] {
  try {
    // Its members are numbers, one for each byte.
    if (ArrayBuffer.isView(part)) return [];
    // A list may have a million.
    const names = isList(part)
      ? Array.from({ length: Math.min(part.length, MAX_PARTS) }, (_, i) => i)
      : Object.keys(part);
    return names.slice(0, MAX_PARTS).map((name) => Object.getOwnPropertyDescriptor(part, name)?.value);
  } catch {
    return [];
  }
}
