import { ChildRunError, StepError, ValidationError } from '../../../core/errors/errors.ts';
import type { ClaimedRun } from '../../../core/ownership/claim.ts';
import type { ChildRun } from '../../../core/ownership/known-step.ts';
import type { StoredRun } from '../../../core/run.ts';
import type { ChildStart } from '../../../core/triggers/new-run.ts';
import type { ChildTrigger } from '../../../core/triggers/trigger-options.ts';
import { checkMembers } from '../../../core/validation/known-names.ts';
import { shownValue } from '../../../core/validation/shown-value.ts';
import { checkDefinition, type JobDefinition } from '../../jobs/define-job.ts';
import { newRun } from '../../jobs/new-run.ts';
import type { Registry } from '../../jobs/registry.ts';
import { TRIGGER_OPTIONS } from '../../jobs/trigger-options.ts';
import type { NeededValues } from '../../plugins/needed-values.ts';
import type { Plugins } from '../../plugins/plugins.ts';
import { announceTrigger } from '../../plugins/triggering.ts';

/** How many levels of runs may be above a run. */
const MAX_LEVELS = 50;

const {
  idempotencyKey: _key,
  idempotencyTtl: _ttl,
  idempotencyKeyReuse: _reuse,
  keyScope: _scope,
  coalesce: _coalesce,
  debounce: _debounce,
  trx: _trx,
  webhook: _webhook,
  ...OPTIONS
} = TRIGGER_OPTIONS;

interface ChildRunsDeps {
  readonly run: ClaimedRun;
  readonly registry: Registry;
  readonly maxInputBytes: number;
  readonly readRun: (runId: string) => Promise<StoredRun | null>;
  /** The concurrency keys of the runs above the run. */
  readonly listKeysAbove: () => Promise<readonly string[]>;
  readonly plugins: Pick<Plugins, 'triggering'>;
  readonly needed: NeededValues;
}

/** The runs that one run starts. */
export class ChildRuns {
  readonly #deps: ChildRunsDeps;

  constructor(deps: ChildRunsDeps) {
    this.#deps = deps;
  }

  /**
   * A run to start. Nothing is stored.
   *
   * @throws {NotFoundError} for an unknown job.
   * @throws {ValidationError | StepError} if it can't be started.
   */
  async make({
    name,
    job,
    input,
    options = {},
    isAwaited,
  }: {
    readonly name: string;
    /** A definition, or a name. */
    readonly job: unknown;
    readonly input: unknown;
    readonly options?: ChildTrigger | undefined;
    /** Whether the run waits for it. */
    readonly isAwaited: boolean;
  }): Promise<{ readonly child: ChildStart; readonly payload: string }> {
    const { run, maxInputBytes } = this.#deps;
    const definition = this.#definitionOf(name, job);
    checkMembers(`option of step "${name}"`, options, OPTIONS);
    if (run.depth >= MAX_LEVELS) {
      throw new StepError(`Step "${name}" can't start a run: there are ${MAX_LEVELS} runs above it already`);
    }
    const {
      payload,
      idempotencyKey: _,
      ...child
    } = await newRun(definition, { input, options }, maxInputBytes);
    if (isAwaited) await this.#checkKey(name, child.concurrencyKey);
    const { plugins } = this.#deps;
    if (plugins.triggering === undefined) return { child, payload };
    const pluginData = await announceTrigger(
      plugins,
      { ...child, payload },
      { kind: 'step', parentRunId: run.runId },
    );
    return { child: pluginData === undefined ? child : { ...child, pluginData }, payload };
  }

  /** A job that is given by its definition may be one that only other processes execute. */
  #definitionOf(stepName: string, job: unknown): JobDefinition {
    const { registry } = this.#deps;
    if (typeof job === 'string') {
      const known = registry.find(job);
      return known;
    }
    if (typeof job !== 'object' || job === null) {
      throw new ValidationError(
        `Step "${stepName}" needs a job: its definition, or its name, not ${shownValue(job)}`,
      );
    }
    const definition = job as JobDefinition;
    checkDefinition(definition);
    return definition;
  }

  /** Refuses a run that would wait for a concurrency key that a run above it holds. */
  async #checkKey(name: string, key: string | null): Promise<void> {
    const { run, listKeysAbove } = this.#deps;
    if (key === null) return;
    const isHeld =
      key === run.concurrencyKey || (run.parentRunId !== null && (await listKeysAbove()).includes(key));
    if (!isHeld) return;
    throw new StepError(
      `Step "${name}" would wait for ever: the concurrency key ${shownValue(key)} belongs to this run, or to one that waits for it`,
    );
  }

  /** How a run has ended. Its output is JSON text, null for undefined. */
  async endOf({
    runId,
    status,
    error,
    output,
  }: ChildRun): Promise<{ readonly output: string | null } | ChildRunError> {
    if (status !== 'completed') {
      const ended = status === 'failed' || status === 'cancelled' ? status : 'deleted';
      const { needed } = this.#deps;
      const text = ended === 'failed' && error !== null ? (await needed.openMessage(error)).message : null;
      return new ChildRunError({ runId, status: ended, error: text });
    }
    if (output !== undefined) return { output: await this.#opened(output) };
    const read = await this.#deps.readRun(runId);
    if (read === null) return new ChildRunError({ runId, status: 'deleted', error: null });
    return { output: await this.#opened(read.output?.sealed ?? read.output?.text ?? null) };
  }

  async #opened(output: string | null): Promise<string | null> {
    return output === null ? null : await this.#deps.needed.open(output);
  }
}
