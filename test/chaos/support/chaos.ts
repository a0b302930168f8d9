import { formatFigures, type Outcome } from '../scenarios/outcome.ts';
import { chooseSeed, Random } from './random.ts';

/** The share of a minute that the short form of a test may use. `CHAOS_MINUTES` asks for more. */
const SHORT_MINUTES = 0.25;

/** The time limit of the tests. */
function minutes(): number {
  const given = process.env.CHAOS_MINUTES ?? SHORT_MINUTES;
  if (!(Number(given) > 0)) throw new Error(`CHAOS_MINUTES must be a positive number, got ${given}`);
  return Number(given);
}

/** Scales a number by the requested minutes. */
export function scale(short: number): number {
  return Math.ceil((short * Math.max(minutes(), SHORT_MINUTES)) / SHORT_MINUTES);
}

/** The random choices of one test. Prints the seed. */
export function seeded(name: string): Random {
  const seed = chooseSeed();
  console.log(`${name}: CHAOS_SEED=${seed}`);
  return new Random(seed);
}

export function report(name: string, { figures }: Pick<Outcome, 'figures'>): void {
  console.log(`${name}: ${formatFigures(figures)}`);
}
