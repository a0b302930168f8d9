import type { DurablyService, TriggerRequest } from '../core/durably.ts';
import { NotFoundError, UnknownJobError, ValidationError } from '../core/errors/errors.ts';
import { isStorableText } from '../core/json/json.ts';
import type { RunFilter } from '../core/lists/run-query.ts';
import { MAX_KEY_LENGTH, type Run } from '../core/run.ts';
import { isScope } from '../core/triggers/key-scope.ts';
import { notThis } from '../core/validation/shown-value.ts';
import type { ManageTarget, RunGuard, RunOperation, ScopeGuard } from './guard.ts';
import type { AllowRun, Operation } from './operation.ts';
import { RequestError } from './problem.ts';
import { isResponse } from './response.ts';

/**
 * Access control hooks. A hook that returns allows the request, whatever value it returns. A hook refuses by
 * throwing: a Response is sent as it is, a {@link RequestError} or an error of the engine is sent as a problem,
 * and any other error becomes a 500.
 */
export interface DurablyAuth<TContext> {
  /** Called for every request, before its body is read. Its return value is passed to the other hooks. */
  authenticate: (request: Request) => TContext | Promise<TContext>;
  /** Called before a run is triggered. The job's schema has not validated the input yet. */
  onTrigger?: ((context: TContext, trigger: TriggerRequest) => void | Promise<void>) | undefined;
  /**
   * Returns the scope of this caller's idempotency keys, such as a tenant's id (1 to 256 characters). The same
   * key in two scopes means two runs. Without this hook all callers share one scope.
   */
  scopeKeys?: ((context: TContext) => string | Promise<string>) | undefined;
  /**
   * Called before a run is shown or changed. With operation `trigger`, an idempotency key already had this run,
   * and its id is about to be returned. A command for many runs asks about each of them, and changes none if one
   * is refused.
   */
  onRunAccess?:
    | ((context: TContext, run: Run, info: { readonly operation: RunOperation }) => void | Promise<void>)
    | undefined;
  /**
   * Called before something is changed for all callers, such as that a job is paused, before schedules are shown or
   * changed, and before workers or the overview are shown. Without this hook such requests are refused if there is any other hook that narrows what callers may do, and otherwise allowed.
   */
  onManage?: ((context: TContext, target: ManageTarget) => void | Promise<void>) | undefined;
  /**
   * Returns the filter for lists of runs, for the stream of all runs, and for commands for many runs, which change
   * only runs that match the caller's filter as well. An empty list in the filter matches nothing.
   */
  scopeRuns?: ((context: TContext, filter: RunFilter) => RunFilter | Promise<RunFilter>) | undefined;
  /**
   * Returns the filter for the stream of all runs, which can filter by `jobName` and `labels`. Default:
   * `scopeRuns`.
   */
  scopeRunsSubscribe?: ((context: TContext, filter: RunFilter) => RunFilter | Promise<RunFilter>) | undefined;
}

const HOOKS = [
  'onTrigger',
  'scopeKeys',
  'onRunAccess',
  'onManage',
  'scopeRuns',
  'scopeRunsSubscribe',
] as const;

/** An `auth` with one of these may keep callers apart. */
const NARROWING_HOOKS = ['onTrigger', 'onRunAccess', 'scopeRuns', 'scopeRunsSubscribe', 'scopeKeys'] as const;

/** Rejects if the caller is not allowed. Returns the input to use, which may be narrower than the given one. */
export type Authorize = <TInput extends Record<string, unknown>>(
  operation: Operation,
  input: TInput,
) => Promise<TInput | Record<string, unknown>>;

/** Access control for the rest of a request, once the caller is known. */
export interface Caller {
  /** Undefined if the caller may do everything. */
  readonly authorize: Authorize | undefined;
  /** Undefined if no hook decides on runs. */
  readonly allowRun: AllowRun | undefined;
}

/** Rejects if the caller is unknown. */
export type Authenticate = (request: Request) => Promise<Caller>;

/** The caller of every request when there is no access control. */
export const ANYONE: Caller = { authorize: undefined, allowRun: undefined };

/**
 * Returns undefined without an `auth`.
 *
 * @throws {ValidationError} for an `auth` that would let everyone in by mistake.
 */
export function createAuthenticate<TContext>(
  durably: DurablyService,
  auth: DurablyAuth<TContext> | undefined,
): Authenticate | undefined {
  if (auth === undefined) return undefined;
  checkAuth(auth);

  const trigger = async (context: TContext, request: TriggerRequest) => {
    await auth.onTrigger?.(context, request);
  };

  const accessRun = async (context: TContext, guard: RunGuard<unknown>, input: unknown) => {
    const { operation, triggerOf } = guard;
    if (auth.onRunAccess === undefined && (triggerOf === undefined || auth.onTrigger === undefined)) return;
    const run = await durably.getRun(guard.runIdOf(input));
    if (run === null) throw new NotFoundError('Run not found');
    await auth.onRunAccess?.(context, run, { operation });
    if (triggerOf !== undefined) await trigger(context, triggerOf(run, input));
  };

  const scope = async <TInput>(context: TContext, guard: ScopeGuard<TInput>, input: TInput) => {
    const hook =
      guard.hook === 'scopeRunsSubscribe' ? (auth.scopeRunsSubscribe ?? auth.scopeRuns) : auth.scopeRuns;
    if (hook === undefined) return input;
    const filter = await hook(context, guard.filterOf(input));
    checkScope(guard, filter);
    return guard.narrow(input, filter);
  };

  const manage = async (context: TContext, target: ManageTarget) => {
    if (auth.onManage === undefined && NARROWING_HOOKS.some((hook) => auth[hook] !== undefined)) {
      throw new RequestError('FORBIDDEN', 'This needs the hook onManage');
    }
    await auth.onManage?.(context, target);
  };

  return async (request) => {
    const context = await auth.authenticate(request);
    // The hook returned a refusal that it should have thrown.
    if (isResponse(context)) throw context;
    const { onRunAccess } = auth;
    const allowRun: AllowRun | undefined =
      onRunAccess && (async (run, operation) => await onRunAccess.call(auth, context, run, { operation }));
    const authorize: Authorize = async ({ guard }, input) => {
      if (guard.hook === 'scopeRuns' || guard.hook === 'scopeRunsSubscribe') {
        return await scope(context, guard, input);
      }
      if (guard.hook === 'onTrigger') {
        for (const request of guard.requestsOf(input)) await trigger(context, request);
        if (auth.scopeKeys !== undefined)
          return guard.withKeyScope(input, checkKeyScope(await auth.scopeKeys(context)));
      }
      if (guard.hook === 'onManage') await manage(context, guard.targetOf(input));
      if (guard.hook === 'onRunAccess') await accessRun(context, guard, input);
      return input;
    };
    return { authorize, allowRun };
  };
}

/** Checked here, because the engine would report a bad scope as the caller's mistake. */
function checkKeyScope(scope: unknown): string {
  const isGood =
    typeof scope === 'string' &&
    scope.length >= 1 &&
    scope.length <= MAX_KEY_LENGTH &&
    isStorableText(scope) &&
    isScope(scope);
  if (isGood) return scope;
  throw new Error(`scopeKeys must return 1 to ${MAX_KEY_LENGTH} characters without control characters`);
}

/**
 * Hides the names of other jobs from the message for an unknown job, since hooks may restrict which jobs a
 * caller sees.
 */
export function withoutJobNames(error: unknown): unknown {
  return error instanceof UnknownJobError ? new NotFoundError(error.bareMessage) : error;
}

function checkAuth(auth: object): void {
  const given: Readonly<Record<string, unknown>> = { ...auth };
  if (typeof given.authenticate !== 'function') {
    throw new ValidationError(`auth.authenticate must be a function${notThis(given.authenticate)}`);
  }
  for (const [name, hook] of Object.entries(given)) {
    if (name === 'authenticate') continue;
    const isHook =
      HOOKS.some((known) => known === name) && (hook === undefined || typeof hook === 'function');
    if (!isHook) throw new ValidationError(`auth.${name} must be one of the functions ${HOOKS.join(', ')}`);
  }
}

/** Rejects filter members that the operation can't apply. Ignoring them would show runs that the hook meant to hide. */
function checkScope(guard: Pick<ScopeGuard<unknown>, 'hook' | 'narrowsBy'>, filter: unknown): void {
  if (typeof filter !== 'object' || filter === null) throw new Error('scopeRuns returned no filter');
  const known: readonly string[] = [...guard.narrowsBy, 'limit', 'offset'];
  for (const [name, value] of Object.entries(filter)) {
    if (value === undefined || known.includes(name)) continue;
    throw new Error(`${guard.hook} returned ${name}, by which this operation can't narrow`);
  }
}
