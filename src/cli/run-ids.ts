import type { DurablyClient } from '../client.ts';
import { UsageError } from './exit.ts';

const PREFIX = 'run_';
const WHOLE_LENGTH = PREFIX.length + 26;
const MAX_FOUND = 1_000;
const MAX_SHOWN = 5;

/**
 * The ids of the runs that begin like that, each once. A command finds all of them before it changes the first one.
 *
 * @throws {UsageError} if one fits no run, or several.
 */
export async function findRunIds(client: DurablyClient, given: readonly string[]): Promise<string[]> {
  const ids = new Set<string>();
  for (const each of given) ids.add(await findRunId(client, each));
  return [...ids];
}

/**
 * The id of the run that begins like that. `run_` may be left out.
 *
 * @throws {UsageError} if no run begins like that, or several do.
 */
export async function findRunId(client: DurablyClient, given: string): Promise<string> {
  const beginning = given.startsWith(PREFIX) ? given : `${PREFIX}${given}`;
  if (beginning.length >= WHOLE_LENGTH) {
    if ((await client.getRun(beginning)) === null) throw new UsageError(`there is no run ${beginning}`);
    return beginning;
  }
  const found = await client.getRuns({ q: beginning, fields: ['id'], limit: MAX_FOUND });
  const ids = found.map(({ id }) => id).filter((id) => id.startsWith(beginning));
  const [only] = ids;
  if (only === undefined) throw new UsageError(`no run has an id that begins with ${beginning}`);
  if (ids.length === 1) return only;
  const shown = ids.slice(0, MAX_SHOWN).join(', ');
  throw new UsageError(
    `${ids.length} runs have an id that begins with ${beginning}: ${shown}${ids.length > MAX_SHOWN ? ', …' : ''}`,
  );
}
