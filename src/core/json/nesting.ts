/**
 * Whether a value nests lists and objects more than `maxDepth` deep. It uses no recursion, so it
 * cannot run out of stack. It visits an object again only if it is found at a greater depth than
 * before.
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

/** A getter or a proxy may throw. What cannot be read counts as not nested. */
function valuesOf(object: object): readonly unknown[] {
  try {
    return Object.values(object);
  } catch {
    return [];
  }
}
