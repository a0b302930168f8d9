import type { SentSignal } from '../../../core/ownership/known-step.ts';
import type { NeededValues } from '../../plugins/needed-values.ts';

interface SignalBoxDeps {
  /** When the run was claimed, by the database's clock: ms since the epoch. */
  readonly claimedAtMs: number;
  /** The signals that came with the run's claim; undefined if they have to be read. */
  readonly signals: readonly SentSignal[] | undefined;
  readonly list: () => Promise<readonly SentSignal[]>;
  readonly readPayload: (seq: number) => Promise<string | undefined>;
  readonly needed: NeededValues;
}

/** A signal that a step takes. */
export interface TakenSignal {
  readonly seq: number;
  /** JSON text. */
  readonly payload: string;
}

/**
 * The signals that no step had taken when the run was claimed, or later. A signal that comes while the run executes is found after the run was put to wait for it.
 */
export class SignalBox {
  readonly #deps: SignalBoxDeps;
  #signals: Promise<SentSignal[]> | undefined;

  constructor(deps: SignalBoxDeps) {
    this.#deps = deps;
    if (deps.signals !== undefined) this.#signals = Promise.resolve([...deps.signals]);
  }

  /** When the run was claimed, by the database's clock: all signals that were sent until then are in the box. */
  get claimedAtMs(): number {
    return this.#deps.claimedAtMs;
  }

  /** Takes the first signal of that name out of the box. A step's outcome that names it takes it for good. */
  async take(name: string): Promise<TakenSignal | undefined> {
    this.#signals ??= this.#deps.list().then((listed) => [...listed]);
    const signals = await this.#signals;
    const place = signals.findIndex((each) => each.name === name);
    const [taken] = place === -1 ? [] : signals.splice(place, 1);
    if (taken === undefined) return undefined;
    const payload = taken.payload ?? (await this.#deps.readPayload(taken.seq));
    if (payload === undefined) return undefined;
    return { seq: taken.seq, payload: await this.#deps.needed.open(payload) };
  }
}
