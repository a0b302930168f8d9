import type { StepFunction } from '../core/step.ts';

/** Where a step is replaced. */
export interface StepPlace {
  readonly jobName: string;
  readonly stepName: string;
}

/** What a test has a step do instead of its function. */
export type StepDouble =
  | { readonly kind: 'function'; readonly fn: StepFunction<unknown> }
  | { readonly kind: 'hangs' };

/** The steps that a test has replaced, or after which the process ends. They outlive that process. */
export class StepDoubles {
  /** By `stepName`, the last one first. */
  readonly #doubles: { readonly place: PartialPlace; readonly double: StepDouble }[] = [];
  readonly #crashes: PartialPlace[] = [];

  /** The returned function ends it. */
  replace(place: PartialPlace, double: StepDouble): () => void {
    const entry = { place, double };
    this.#doubles.unshift(entry);
    return () => {
      const index = this.#doubles.indexOf(entry);
      if (index >= 0) this.#doubles.splice(index, 1);
    };
  }

  of(place: StepPlace): StepDouble | undefined {
    return this.#doubles.find((each) => isAt(each.place, place))?.double;
  }

  crashAfter(place: PartialPlace): void {
    this.#crashes.push(place);
  }

  /** Whether the process is to end after that step. It does so once. */
  takeCrash(place: StepPlace): boolean {
    const index = this.#crashes.findIndex((each) => isAt(each, place));
    if (index >= 0) this.#crashes.splice(index, 1);
    return index >= 0;
  }
}

/** A step of one job, or of any. */
export interface PartialPlace {
  readonly jobName: string | undefined;
  readonly stepName: string;
}

function isAt({ jobName, stepName }: PartialPlace, place: StepPlace): boolean {
  return stepName === place.stepName && (jobName === undefined || jobName === place.jobName);
}
