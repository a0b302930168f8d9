import { decodeJson } from '../../core/json/json.ts';
import type { RunProgress } from '../../core/run.ts';
import type { OwnerEntry, OwnerNote } from '../../core/store.ts';
import { type Codec, sealOrNull } from './codec.ts';

/** Where a note holds something of the user's. The data of others is read by the database itself. */
interface UsersParts {
  readonly data?: true;
  readonly message?: true;
}

const PARTS: Readonly<Record<Exclude<OwnerNote['type'], 'run:progress'>, UsersParts>> = {
  'step:start': {},
  'step:complete': { data: true },
  'step:fail': { data: true, message: true },
  'step:retry': { message: true },
  // The message is the event's name.
  'run:emit': { data: true },
  'run:wait': {},
  'run:retry': { message: true },
  'log:write': { data: true, message: true },
  'run:complete': { data: true },
  'run:fail': { data: true, message: true },
};

/** Entries as they are stored. @throws {PluginError} */
export async function sealEntries(codec: Codec, entries: readonly OwnerEntry[]): Promise<OwnerEntry[]> {
  return await Promise.all(
    entries.map(async ({ note, atMs }) => ({ note: await sealNote(codec, note), atMs })),
  );
}

async function sealNote(codec: Codec, note: OwnerNote): Promise<OwnerNote> {
  if (note.isPlain) return note;
  if (note.type === 'run:progress') return { ...note, data: await sealProgress(codec, note.data ?? null) };
  const parts = PARTS[note.type];
  // The data of a step that starts a run is that run's input.
  const hasData = parts.data || note.child !== undefined;
  return {
    ...note,
    ...(hasData && { data: await sealOrNull(codec, note.data) }),
    ...(parts.message && { message: await sealOrNull(codec, note.message) }),
  };
}

/** The numbers stay, so that lists show how far a run is. */
async function sealProgress(codec: Codec, data: string | null): Promise<string | null> {
  const { message, ...numbers } = decodeJson(data) as RunProgress;
  return message === undefined ? data : JSON.stringify({ ...numbers, message: await codec.seal(message) });
}
