/**
 * Whether a value nests lists and objects more than `maxDepth` deep, as far as
 * it can be asked without running out of stack: each object is looked at again
 * only where it lies deeper than it was found before.
 */
export function nestsDeeperThan(maxDepth: number, value: unknown): boolean {
  const depths = new Map<object, number>();
  const waiting: { readonly value: unknown; readonly depth: number }[] = [{ value, depth: 1 }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { value: each, depth } = next;
    if (typeof each !== 'object' || each === null) continue;
    if (depth > maxDepth) return true;
    if ((depths.get(each) ?? 0) >= depth) continue;
    depths.set(each, depth);
    for (const inner of valuesOf(each)) waiting.push({ value: inner, depth: depth + 1 });
  }
  return false;
}

/** A getter may throw, and so may a proxy: what can't be read is not nested. */
function valuesOf(object: object): readonly unknown[] {
  try {
    return Object.values(object);
  } catch {
    return [];
  }
}
