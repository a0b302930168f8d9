import { decodeJson } from '../../core/json/json.ts';
import type { RunProgress } from '../../core/run.ts';
import type { OwnerEntry, OwnerNote } from '../../core/store.ts';
import type { Clock } from '../../core/time/clock.ts';
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

/** An entry as it is stored, or the error of the plugin that can't encode it. */
export type Sealing =
  | { readonly ok: true; readonly entry: OwnerEntry }
  | { readonly ok: false; readonly error: unknown };

/** Encodes what the owner of a run stores, one group at a time. */
export class EntrySealer {
  readonly #codec: Codec;
  readonly #clock: Clock;
  /** How long a group may take. Undefined: as long as its plugins may. */
  #withinMs: number | undefined;
  /** Ends the wait for the group that is being encoded. */
  #giveUp: (() => void) | undefined;
  #cancelTimer: () => void = () => undefined;

  constructor(codec: Codec, clock: Clock) {
    this.#codec = codec;
    this.#clock = clock;
  }

  /** Entries as they are stored. Never rejects: one that can't be encoded does not keep the others from being stored. */
  async seal(entries: readonly OwnerEntry[]): Promise<Sealing[] | 'given-up'> {
    const givenUp = new Promise<'given-up'>((resolve) => {
      this.#giveUp = () => resolve('given-up');
    });
    this.#limit();
    try {
      const sealed = Promise.all(entries.map((entry) => sealEntry(this.#codec, entry)));
      return await Promise.race([sealed, givenUp]);
    } finally {
      this.#giveUp = undefined;
      this.#cancelTimer();
    }
  }

  /** From now on, a group is given up after this time. */
  hurry(withinMs: number): void {
    this.#withinMs = withinMs;
    this.#limit();
  }

  #limit(): void {
    if (this.#withinMs === undefined || this.#giveUp === undefined) return;
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.schedule(this.#withinMs, this.#giveUp);
  }
}

async function sealEntry(codec: Codec, { note, atMs }: OwnerEntry): Promise<Sealing> {
  try {
    return { ok: true, entry: { note: await sealNote(codec, note), atMs } };
  } catch (error) {
    return { ok: false, error };
  }
}

async function sealNote(codec: Codec, note: OwnerNote): Promise<OwnerNote> {
  if (note.isPlain) return note;
  if (note.type === 'run:progress') return { ...note, data: await sealProgress(codec, note.data ?? null) };
  const parts = PARTS[note.type];
  // The data of a step that starts a run is that run's input.
  const hasData = parts.data || note.child !== undefined;
  const [data, message] = await Promise.all([
    hasData ? sealOrNull(codec, note.data) : note.data,
    parts.message ? sealOrNull(codec, note.message) : note.message,
  ]);
  return { ...note, ...(hasData && { data }), ...(parts.message && { message }) };
}

/** The numbers stay, so that lists show how far a run is. */
async function sealProgress(codec: Codec, data: string | null): Promise<string | null> {
  const { message, ...numbers } = decodeJson(data) as RunProgress;
  return message === undefined ? data : JSON.stringify({ ...numbers, message: await codec.seal(message) });
}
