import type { OwnerNote } from '../../../core/ownership/append.ts';

/** The steps whose run the database refused to store, and why. Such a step must not complete, and its own run must not wait for it. */
export class RefusedStarts {
  readonly #errors = new Map<string, unknown>();

  noteRefused({ child, stepName }: OwnerNote, error: unknown): void {
    if (child !== undefined) this.#errors.set(stepName ?? '', error);
  }

  /** Why a note must not be stored. Undefined if it may be. */
  blocking({ type, stepName }: OwnerNote): unknown {
    if (type === 'step:complete') return this.#errors.get(stepName ?? '');
    if (type !== 'run:wait') return undefined;
    const [first] = this.#errors.values();
    return first;
  }
}
