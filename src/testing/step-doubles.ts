import { UnknownJobError, ValidationError } from '../core/errors/errors.ts';
import type { StepFunction } from '../core/step.ts';
import { parseFlag } from '../core/validation/flag.ts';
import { checkMembers, type MembersOf, nearestName } from '../core/validation/known-names.ts';
import { shownValue } from '../core/validation/shown-value.ts';

/** Where a step is replaced. */
export interface StepPlace {
  readonly jobName: string;
  readonly stepName: string;
}

/** What a test has a step do instead of its function. */
export type StepDouble =
  | { readonly kind: 'function'; readonly fn: StepFunction<unknown> }
  | { readonly kind: 'hangs' };

/** Which step of which job is meant. */
export interface StepOfJob {
  /** The name of its job. Default: any job. */
  readonly jobName?: string | undefined;
  /** True if the test may end without the step. Otherwise `stop` rejects then, because the name may be misspelled. */
  readonly optional?: boolean | undefined;
}

const STEP_OF_JOB: MembersOf<StepOfJob> = { jobName: true, optional: true };

interface Mock {
  readonly place: PartialPlace;
  readonly double: StepDouble;
  readonly isOptional: boolean;
  isUsed: boolean;
}

/** More names are not kept for suggestions. */
const MAX_NAMES = 1_000;

/** The steps that a test has replaced, or after which the process ends. They outlive that process. */
export class StepDoubles {
  /** The last one first. */
  readonly #mocks: Mock[] = [];
  readonly #crashes: { readonly place: PartialPlace; readonly isOptional: boolean }[] = [];
  readonly #jobNames: readonly string[];
  /** The steps that were executed. */
  readonly #seen = new Set<string>();

  /** @param jobNames the jobs under test. */
  constructor(jobNames: readonly string[]) {
    this.#jobNames = jobNames;
  }

  /**
   * The returned function ends it.
   *
   * @throws {ValidationError} for a bad name, place or function.
   * @throws {UnknownJobError} for a job that is not under test.
   */
  mock(stepName: string, fn: StepFunction<unknown> | 'hangs', given: StepOfJob = {}): () => void {
    const { place, isOptional } = this.#check('mockStep', stepName, given);
    if (fn !== 'hangs' && typeof fn !== 'function') {
      throw new ValidationError(`mockStep needs a function or 'hangs', not ${shownValue(fn)}`);
    }
    const double: StepDouble = fn === 'hangs' ? { kind: 'hangs' } : { kind: 'function', fn };
    const entry: Mock = { place, double, isOptional, isUsed: false };
    this.#mocks.unshift(entry);
    return () => {
      const index = this.#mocks.indexOf(entry);
      if (index >= 0) this.#mocks.splice(index, 1);
    };
  }

  of(place: StepPlace): StepDouble | undefined {
    this.#note(place);
    const mock = this.#mocks.find((each) => isAt(each.place, place));
    if (mock !== undefined) mock.isUsed = true;
    return mock?.double;
  }

  /** @throws as {@link mock} does. */
  crashAfter(stepName: string, given: StepOfJob = {}): void {
    this.#crashes.push(this.#check('crashAfter', stepName, given));
  }

  /** Whether the process is to end after that step. It does so once. */
  takeCrash(place: StepPlace): boolean {
    this.#note(place);
    const index = this.#crashes.findIndex((each) => isAt(each.place, place));
    if (index >= 0) this.#crashes.splice(index, 1);
    return index >= 0;
  }

  /** Names the mocks and crashes that no step has met. Undefined if there are none. */
  describeUnused(): string | undefined {
    const mocks = this.#mocks.filter(({ isUsed }) => !isUsed).reverse();
    const unused = [
      ...mocks.map((mock) => ({ ...mock, call: 'mockStep' })),
      ...this.#crashes.map((crash) => ({ ...crash, call: 'crashAfter' })),
    ].filter(({ isOptional }) => !isOptional);
    if (unused.length === 0) return undefined;
    return unused.map(({ call, place }) => this.#describe(call, place)).join('; ');
  }

  #describe(call: string, { stepName, jobName }: PartialPlace): string {
    const of = jobName === undefined ? '' : ` of job ${shownValue(jobName)}`;
    const meant = this.#seen.has(stepName) ? undefined : nearestName(stepName, this.#seen);
    const hint = meant === undefined ? '' : `; did you mean ${shownValue(meant)}?`;
    return `${call}: the step ${shownValue(stepName)}${of} was never executed${hint}`;
  }

  #note({ stepName }: StepPlace): void {
    if (this.#seen.size < MAX_NAMES) this.#seen.add(stepName);
  }

  #check(call: string, stepName: string, given: StepOfJob) {
    if (typeof stepName !== 'string' || stepName === '') {
      throw new ValidationError(`${call} needs the name of a step, not ${shownValue(stepName)}`);
    }
    checkMembers(`${call} option`, given, STEP_OF_JOB);
    const { jobName, optional } = given;
    const isOptional = parseFlag('optional', optional);
    if (jobName !== undefined && !this.#jobNames.includes(jobName)) {
      throw new UnknownJobError(jobName, nearestName(jobName, this.#jobNames));
    }
    return { place: { stepName, jobName }, isOptional };
  }
}

/** A step of one job, or of any. */
interface PartialPlace {
  readonly jobName: string | undefined;
  readonly stepName: string;
}

function isAt({ jobName, stepName }: PartialPlace, place: StepPlace): boolean {
  return stepName === place.stepName && (jobName === undefined || jobName === place.jobName);
}
