import type { DurablyService, TriggerRequest } from '../core/durably.ts';
import { NotFoundError, UnknownJobError, ValidationError } from '../core/errors/errors.ts';
import { isStorableText } from '../core/json/json.ts';
import { isScope } from '../core/key-scope.ts';
import { MAX_KEY_LENGTH, type Run, type RunFilter } from '../core/run.ts';
import type { RunGuard, RunOperation, ScopeGuard } from './guard.ts';
import type { AllowRun, Operation } from './operation.ts';
import { isResponse } from './response.ts';

/**
 * Who may do what. A hook refuses by throwing: a Response is the answer, a
 * {@link RequestError} or an error of the engine becomes its problem, anything
 * else 500. One that returns lets the caller in, whatever it returns.
 */
export interface DurablyAuth<TContext> {
  /** Called for every request, before its body is read. The other hooks get what it returns. */
  authenticate: (request: Request) => TContext | Promise<TContext>;
  /** Before a run is triggered; the job's own schema has not seen the input yet. */
  onTrigger?: ((context: TContext, trigger: TriggerRequest) => void | Promise<void>) | undefined;
  /**
   * Whose idempotency keys this caller's are, 1 to 256 characters (a tenant's id): the same key of
   * another scope is another key. Without it, the keys of all callers are one another's: two that use
   * the same one mean the same run.
   */
  scopeKeys?: ((context: TContext) => string | Promise<string>) | undefined;
  /**
   * Before anything is told of or done to a run. Operation `trigger`: of the run
   * that a trigger's idempotency key already had, before its id is told.
   */
  onRunAccess?:
    | ((context: TContext, run: Run, info: { readonly operation: RunOperation }) => void | Promise<void>)
    | undefined;
  /** Answers with the filter to list runs by, and to stream all runs by; an empty list in it means none. */
  scopeRuns?: ((context: TContext, filter: RunFilter) => RunFilter | Promise<RunFilter>) | undefined;
  /** The same for the stream of all runs alone, which goes by `jobName` and `labels`. `scopeRuns` unless given. */
  scopeRunsSubscribe?: ((context: TContext, filter: RunFilter) => RunFilter | Promise<RunFilter>) | undefined;
}

const HOOKS = ['onTrigger', 'scopeKeys', 'onRunAccess', 'scopeRuns', 'scopeRunsSubscribe'] as const;

/** Rejects unless the caller may; answers with the input to act by, which may be narrower. */
export type Authorize = <TInput extends Record<string, unknown>>(
  operation: Operation,
  input: TInput,
) => Promise<TInput | Record<string, unknown>>;

/** What decides on the rest of a request, once it is known whom it comes from. */
export interface Caller {
  /** Undefined for one who may everything. */
  readonly authorize: Authorize | undefined;
  readonly allowRun: AllowRun;
}

/** Rejects unless the request comes from someone. */
export type Authenticate = (request: Request) => Promise<Caller>;

/** Whoever calls where there is no access control. */
export const ANYONE: Caller = { authorize: undefined, allowRun: async () => {} };

/**
 * Undefined without an `auth`.
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
    if (triggerOf !== undefined) await trigger(context, triggerOf(run));
  };

  const scope = async <TInput>(context: TContext, guard: ScopeGuard<TInput>, input: TInput) => {
    const hook =
      guard.hook === 'scopeRunsSubscribe' ? (auth.scopeRunsSubscribe ?? auth.scopeRuns) : auth.scopeRuns;
    if (hook === undefined) return input;
    const filter = await hook(context, guard.filterOf(input));
    checkScope(guard, filter);
    return guard.narrow(input, filter);
  };

  return async (request) => {
    const context = await auth.authenticate(request);
    // Returned where it should have been thrown.
    if (isResponse(context)) throw context;
    const allowRun: AllowRun = async (run) => {
      await auth.onRunAccess?.(context, run, { operation: 'trigger' });
    };
    const authorize: Authorize = async ({ guard }, input) => {
      if (guard.hook === 'scopeRuns' || guard.hook === 'scopeRunsSubscribe') {
        return await scope(context, guard, input);
      }
      if (guard.hook === 'onTrigger') {
        await trigger(context, guard.requestOf(input));
        if (auth.scopeKeys !== undefined)
          return { ...input, keyScope: checkKeyScope(await auth.scopeKeys(context)) };
      }
      if (guard.hook === 'onRunAccess') await accessRun(context, guard, input);
      return input;
    };
    return { authorize, allowRun };
  };
}

/** The engine would blame the caller for it. */
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

/** Hooks may keep jobs from callers, so that an unknown job must not be told the name of another. */
export function withoutJobNames(error: unknown): unknown {
  return error instanceof UnknownJobError ? new NotFoundError(error.bareMessage) : error;
}

function checkAuth(auth: object): void {
  const given: Readonly<Record<string, unknown>> = { ...auth };
  if (typeof given.authenticate !== 'function') {
    throw new ValidationError('auth.authenticate must be a function');
  }
  for (const [name, hook] of Object.entries(given)) {
    if (name === 'authenticate') continue;
    const isHook =
      HOOKS.some((known) => known === name) && (hook === undefined || typeof hook === 'function');
    if (!isHook) throw new ValidationError(`auth.${name} must be one of the functions ${HOOKS.join(', ')}`);
  }
}

/** What an operation can't narrow by would be shown although the hook meant to leave it out. */
function checkScope(guard: Pick<ScopeGuard<unknown>, 'hook' | 'narrowsBy'>, filter: unknown): void {
  if (typeof filter !== 'object' || filter === null) throw new Error('scopeRuns returned no filter');
  const known: readonly string[] = [...guard.narrowsBy, 'limit', 'offset'];
  for (const [name, value] of Object.entries(filter)) {
    if (value === undefined || known.includes(name)) continue;
    throw new Error(`${guard.hook} returned ${name}, by which this operation can't narrow`);
  }
}
