import type { DurablyService, TriggerRequest } from '../core/durably.ts';
import { NotFoundError, ValidationError } from '../core/errors.ts';
import type { Run, RunFilter } from '../core/run.ts';
import type { RunGuard, RunOperation, ScopeGuard } from './guard.ts';
import type { Operation } from './operation.ts';
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
  /** Before anything is told of or done to a run. */
  onRunAccess?:
    | ((context: TContext, run: Run, info: { readonly operation: RunOperation }) => void | Promise<void>)
    | undefined;
  /** Answers with the filter to list runs by, and to stream all runs by; an empty list in it means none. */
  scopeRuns?: ((context: TContext, filter: RunFilter) => RunFilter | Promise<RunFilter>) | undefined;
  /** The same for the stream of all runs alone, which goes by `jobName` and `labels`. `scopeRuns` unless given. */
  scopeRunsSubscribe?: ((context: TContext, filter: RunFilter) => RunFilter | Promise<RunFilter>) | undefined;
}

const HOOKS = ['onTrigger', 'onRunAccess', 'scopeRuns', 'scopeRunsSubscribe'] as const;

/** Rejects unless the caller may; answers with the input to act by, which may be narrower. */
export type Authorize = <TInput extends Record<string, unknown>>(
  operation: Operation,
  input: TInput,
) => Promise<TInput | Record<string, unknown>>;

/** Rejects unless the request comes from someone; answers with what decides on the rest. */
export type Authenticate = (request: Request) => Promise<Authorize>;

/** @throws {ValidationError} for an `auth` that would let everyone in by mistake. */
export function createAuthenticate<TContext>(
  durably: DurablyService,
  auth: DurablyAuth<TContext> | undefined,
): Authenticate {
  if (auth === undefined) return async () => async (_, input) => input;
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
    return async ({ guard }, input) => {
      if (guard.hook === 'scopeRuns' || guard.hook === 'scopeRunsSubscribe') {
        return await scope(context, guard, input);
      }
      if (guard.hook === 'onTrigger') await trigger(context, guard.requestOf(input));
      if (guard.hook === 'onRunAccess') await accessRun(context, guard, input);
      return input;
    };
  };
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
