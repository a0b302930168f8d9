/** Whether two JSON texts hold the same value. The order of an object's members does not count. */
export function isSameJson(a: string, b: string): boolean {
  return a === b || isSame(JSON.parse(a), JSON.parse(b));
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const members = Object.entries(a);
  if (members.length !== Object.keys(b).length) return false;
  const others: Readonly<Record<string, unknown>> = { ...b };
  return members.every(([name, value]) => Object.hasOwn(others, name) && isSame(value, others[name]));
}
