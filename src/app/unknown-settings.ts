import { distance } from 'fastest-levenshtein';

/** Variables that begin so are durably's own. */
const OURS = /^durably[_-]/i;
/** A variable of another program's is taken for a slip only if it is as near as this. */
const MAX_SLIPS = 2;
/** In short names so many changes make another word: `PATH` of `PORT`. */
const MIN_SLIPPED_LENGTH = 8;
/** Turso's own tools read these. */
const OF_OTHERS = new Set(['TURSO_API_TOKEN', 'TURSO_API_BASEURL', 'TURSO_CONFIG_FOLDER']);

export interface KnownSettings {
  /** Those that are read here. */
  readonly known: readonly string[];
  /** Those that only mean something elsewhere, and what that is. */
  readonly elsewhere: { readonly names: readonly string[]; readonly place: string };
}

/**
 * One line about variables that look like settings and are none, each with the
 * nearest that is; undefined if there are none. Values are not looked at, but
 * for whether they are empty, which counts as unset.
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
    const nearest = nearestOf(name, known);
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
  return name.length >= MIN_SLIPPED_LENGTH && distance(name.toUpperCase(), nearest) <= MAX_SLIPS;
}

function nearestOf(name: string, known: readonly string[]): string {
  const [first = '', ...others] = known;
  return others.reduce(
    (best, other) => (tailDistance(name, other) < tailDistance(name, best) ? other : best),
    first,
  );
}

/** How far two names are apart, a wrong prefix (`DURABLY_PORT`, `TURSO_URL`) counting little. */
function tailDistance(name: string, known: string): number {
  const whole = distance(name.toUpperCase().replaceAll('-', '_'), known);
  const [mine, its] = [tailOf(name), tailOf(known)];
  const isPart = mine.length > 2 && (`_${its}_`.includes(`_${mine}_`) || `_${mine}_`.includes(`_${its}_`));
  return Math.min(whole, distance(mine, its) + 1, isPart ? 2 : Number.POSITIVE_INFINITY);
}

function tailOf(name: string): string {
  return name
    .toUpperCase()
    .replaceAll('-', '_')
    .replace(/^(DURABLY|TURSO)_/, '');
}

/** A name may hold anything but `=`: a log line must stay one. */
function printable(name: string): string {
  return /^[\w.-]{1,100}$/.test(name) ? name : JSON.stringify(name.slice(0, 100));
}
