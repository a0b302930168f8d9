/** The keys that lead from a JSON value to one inside it. */
export type JsonPath = readonly (string | number)[];

/** Lists and objects that are longer are shown in parts of this size. */
export const PART_SIZE = 100;
const MAX_FOUND = 500;

/** Where a text occurs in the keys and the values of a JSON value. It searches in pieces, so that the page stays responsive. */
export async function findInJson(value: unknown, text: string, signal: AbortSignal): Promise<JsonPath[]> {
  const needle = text.toLowerCase();
  const found: JsonPath[] = [];
  let sliceEnd = performance.now() + 12;
  // Depth first, so that what is found is in the order of the tree.
  const stack: { readonly value: unknown; readonly path: JsonPath }[] = [{ value, path: [] }];
  for (let node = stack.pop(); node !== undefined && found.length < MAX_FOUND; node = stack.pop()) {
    if (performance.now() > sliceEnd) {
      await new Promise((resolve) => setTimeout(resolve));
      if (signal.aborted) return [];
      sliceEnd = performance.now() + 12;
    }
    const key = node.path.at(-1);
    const isKeyMatch = typeof key === 'string' && key.toLowerCase().includes(needle);
    if (isKeyMatch || isScalarMatch(node.value, needle)) found.push(node.path);
    const members = membersOf(node.value);
    for (let i = members.length - 1; i >= 0; i--) {
      const member = members[i];
      if (member) stack.push({ value: member[1], path: [...node.path, member[0]] });
    }
  }
  return found;
}

function isScalarMatch(value: unknown, needle: string): boolean {
  if (typeof value === 'object' && value !== null) return false;
  return String(value).toLowerCase().includes(needle);
}

/** The members of a list or an object, with their keys. Empty for other values. */
export function membersOf(value: unknown): readonly (readonly [key: string | number, value: unknown])[] {
  if (Array.isArray(value)) return value.map((one: unknown, index) => [index, one] as const);
  if (typeof value === 'object' && value !== null) return Object.entries(value);
  return [];
}

export function beginsWith(path: JsonPath, start: JsonPath): boolean {
  return start.length <= path.length && start.every((key, i) => path[i] === key);
}

export const isSamePath = (one: JsonPath, other: JsonPath): boolean =>
  one.length === other.length && beginsWith(one, other);
