import { toErrorDetail } from '../../core/errors/error-detail.ts';
import { PluginError } from '../../core/errors/errors.ts';
import { toError } from '../../core/errors/stored-error.ts';
import { decodeJson } from '../../core/json/json.ts';
import { REDACTED } from '../../core/json/redacted.ts';
import type { ClaimedRun } from '../../core/ownership/claim.ts';
import type { DurablyPlugin, ExecutionOutcome, PluginRun, PluginStep } from '../../core/plugins/plugin.ts';
import type { Plugins } from './plugins.ts';
import { readPluginData } from './triggering.ts';

interface CalledStep {
  readonly stepName: string;
  readonly stepIndex: number;
  readonly attempt: number;
}

type Around = Pick<Plugins, 'aroundRun' | 'aroundStep' | 'codec'>;

/** The calls of plugins around one execution of a run and its steps. */
export class PluginCalls {
  readonly #plugins: Around;
  readonly #run: ClaimedRun;
  readonly #getSignal: () => AbortSignal;
  readonly #contexts = new Map<DurablyPlugin, PluginRun>();
  #input: { readonly value: unknown } | undefined;

  /** Undefined if no plugin is called around runs or steps. */
  static of(plugins: Around, run: ClaimedRun, getSignal: () => AbortSignal): PluginCalls | undefined {
    const { aroundRun, aroundStep } = plugins;
    if (aroundRun === undefined && aroundStep === undefined) return undefined;
    return new PluginCalls(plugins, run, getSignal);
  }

  private constructor(plugins: Around, run: ClaimedRun, getSignal: () => AbortSignal) {
    this.#plugins = plugins;
    this.#run = run;
    this.#getSignal = getSignal;
  }

  /** Executes the run within the plugins. Rejects if the job or a plugin fails. */
  async aroundRun(execute: () => Promise<ExecutionOutcome>): Promise<void> {
    const { aroundRun = [] } = this.#plugins;
    await nest<ExecutionOutcome, ExecutionOutcome>(aroundRun, {
      hook: 'aroundRun',
      core: execute,
      call: (plugin, next) => plugin.aroundRun?.(this.#contextOf(plugin), next),
      shown: (outcome) => outcome,
    });
  }

  /**
   * Calls a step's function within the plugins. Rejects if the function or a plugin fails.
   *
   * @param isSensitive whether what was thrown is for the job alone
   */
  aroundStep<T>(
    step: CalledStep,
    code: () => Promise<T>,
    isSensitive: (error: unknown) => boolean,
  ): Promise<T> {
    const { aroundStep } = this.#plugins;
    if (aroundStep === undefined) return code();
    const hide = (error: unknown) => {
      throw isSensitive(error) ? redactedError(error) : error;
    };
    return nest<T, void>(aroundStep, {
      hook: 'aroundStep',
      core: code,
      call: (plugin, next) => {
        const context: PluginStep = { ...step, run: this.#contextOf(plugin) };
        return plugin.aroundStep?.(context, next);
      },
      // What the step returns is not the plugin's.
      shown: (result) => result.then(nothing, hide),
    });
  }

  #contextOf(plugin: DurablyPlugin): PluginRun {
    const known = this.#contexts.get(plugin);
    if (known !== undefined) return known;
    const { runId, jobName, attempt, kind, stepCount, version, concurrencyKey, parentRunId } = this.#run;
    const { dueSinceMs, startedAtMs, claimedAtMs } = this.#run;
    const getInput = () => this.#inputOnce();
    const getSignal = this.#getSignal;
    const context: PluginRun = {
      ...{ runId, jobName, attempt, kind, stepCount, version, concurrencyKey, parentRunId },
      ...{ dueSinceMs, startedAtMs, claimedAtMs },
      data: readPluginData(this.#run.pluginData, plugin.name),
      isEncoded: this.#plugins.codec?.isEncoding === true,
      get input() {
        return getInput();
      },
      get signal() {
        return getSignal();
      },
    };
    this.#contexts.set(plugin, context);
    return context;
  }

  /** A plugin that changes the input does not change that of the job. */
  #inputOnce(): unknown {
    this.#input ??= { value: decodeJson(this.#run.payload) };
    return this.#input.value;
  }
}

/** @typeParam S what plugins get of the result */
interface Nesting<T, S> {
  readonly hook: 'aroundRun' | 'aroundStep';
  readonly core: () => Promise<T>;
  readonly call: (plugin: DurablyPlugin, next: () => Promise<S>) => unknown;
  readonly shown: (result: Promise<T>) => Promise<S>;
}

/**
 * Calls the plugins around each other, the first one outermost. The result is that of the core. A plugin can only make of it a
 * failure: by throwing, or by not calling `next`. A failure of what is within a plugin stays what it is, whatever the plugin
 * does about it. It makes few promises, because each costs more while a job runs (ADR 21).
 */
function nest<T, S>(plugins: readonly DurablyPlugin[], nesting: Nesting<T, S>, from = 0): Promise<T> {
  const plugin = plugins[from];
  if (plugin === undefined) return nesting.core();
  return callAround(plugin, nesting, () => nest(plugins, nesting, from + 1));
}

async function callAround<T, S>(
  plugin: DurablyPlugin,
  { hook, call, shown }: Nesting<T, S>,
  inner: () => Promise<T>,
): Promise<T> {
  let within: Promise<T> | undefined;
  let isOver = false;
  const next = (): Promise<S> => {
    if (isOver) return refuse(new PluginError(plugin.name, `called next after its ${hook} was over`));
    if (within !== undefined) return refuse(new PluginError(plugin.name, `called next twice in ${hook}`));
    within = watched(inner());
    return watched(shown(within));
  };
  let failure: { readonly error: unknown } | undefined;
  try {
    await call(plugin, next);
  } catch (error) {
    failure = { error };
  }
  isOver = true;
  if (within === undefined)
    throw failure === undefined
      ? new PluginError(plugin.name, `did not call next in ${hook}`)
      : failure.error;
  const result = await within;
  if (failure !== undefined) throw failure.error;
  return result;
}

const nothing = (): void => undefined;

/** What is left of an error that is for the job alone. */
function redactedError(error: unknown): Error {
  const { name } = toErrorDetail(error, { mode: 'message' });
  return toError({ name, message: REDACTED }, REDACTED);
}

function refuse(error: PluginError): Promise<never> {
  return watched(Promise.reject(error));
}

/** If the plugin does not await it, its failure must not end the process. */
function watched<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
