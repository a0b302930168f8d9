import { editDistance, nearestOf } from '../core/validation/nearest.ts';

/** Variables with this prefix belong to durably. */
const OURS = /^durably[_-]/i;
/** Another variable counts as misspelled only if it differs by at most this many characters. */
const MAX_SLIPS = 2;
/** In shorter names, that many changes make a different word: `PATH` and `PORT`. */
const MIN_SLIPPED_LENGTH = 8;
/** Settings of Turso's own tools. */
const OF_OTHERS = new Set(['TURSO_API_TOKEN', 'TURSO_API_BASEURL', 'TURSO_CONFIG_FOLDER']);

export interface KnownSettings {
  /** The settings that this service reads. */
  readonly known: readonly string[];
  /** The settings that only the service on another platform reads, and the name of that platform. */
  readonly elsewhere: { readonly names: readonly string[]; readonly place: string };
}

/**
 * One line that lists variables that look like settings but are not, each with the nearest known name.
 * Undefined if there are none. Of the values it only checks whether they are empty, which counts as unset.
 */
export function describeUnknownSettings(
  env: Readonly<Record<string, unknown>>,
  { known, elsewhere }: KnownSettings,
): string | undefined {
  const complaints: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (typeof value !== 'string' || value === '' || known.includes(name)) continue;
    if (elsewhere.names.includes(name)) {
      if (OURS.test(name)) complaints.push(`${name} is for ${elsewhere.place} only`);
      continue;
    }
    const nearest = nearestOf(known, (one) => tailDistance(name, one));
    if (nearest === undefined) continue;
    if (OURS.test(name) || isSlipOf(name, nearest)) {
      complaints.push(`${printable(name)} is unknown (did you mean ${nearest}?)`);
    }
  }
  return complaints.length === 0 ? undefined : `ignored: ${complaints.join(', ')}`;
}

function isSlipOf(name: string, nearest: string): boolean {
  if (OF_OTHERS.has(name)) return false;
  if (name.toUpperCase() === nearest) return !/^[a-z]+$/.test(name);
  if (/^turso_/i.test(name)) return tailDistance(name, nearest) <= MAX_SLIPS + 1;
  return name.length >= MIN_SLIPPED_LENGTH && editDistance(name, nearest) <= MAX_SLIPS;
}

/** The edit distance between two names. A wrong prefix, as in `DURABLY_PORT` or `TURSO_URL`, counts little. */
function tailDistance(name: string, known: string): number {
  const whole = editDistance(name.replaceAll('-', '_'), known);
  const [mine, its] = [tailOf(name), tailOf(known)];
  const isPart = mine.length > 2 && (`_${its}_`.includes(`_${mine}_`) || `_${mine}_`.includes(`_${its}_`));
  return Math.min(whole, editDistance(mine, its) + 1, isPart ? 2 : Number.POSITIVE_INFINITY);
}

function tailOf(name: string): string {
  return name
    .toUpperCase()
    .replaceAll('-', '_')
    .replace(/^(DURABLY|TURSO)_/, '');
}

/** A variable's name may contain any character except `=`, also a line break. */
function printable(name: string): string {
  return /^[\w.-]{1,100}$/.test(name) ? name : JSON.stringify(name.slice(0, 100));
}
