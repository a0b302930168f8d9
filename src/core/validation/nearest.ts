import { distance } from 'fastest-levenshtein';

/** How many characters two names differ by, whatever their case. */
export function editDistance(one: string, other: string): number {
  return distance(one.toLowerCase(), other.toLowerCase());
}

/** The item with the smallest distance, and the first of several. Undefined if every distance is infinite. */
export function nearestOf<T>(items: Iterable<T>, distanceTo: (item: T) => number): T | undefined {
  let nearest: T | undefined;
  let smallest = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const away = distanceTo(item);
    if (away >= smallest) continue;
    nearest = item;
    smallest = away;
  }
  return nearest;
}
