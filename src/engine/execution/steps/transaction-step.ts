import type { RunStepOptions, StepContext, TransactionFunction } from '../../../core/step.ts';
import type { CallerTransaction } from '../../../core/triggers/trigger-options.ts';
import type { StepPort } from './step-port.ts';
import type { StepTransactions } from './step-transactions.ts';
import { defaultsOf, functionAndOptions, type TriedKind, tryStep } from './step-tries.ts';

const OF = { stepKind: 'transaction' } as const;

/** `step.transaction`: what a function writes through its transaction, and its result, are stored together. */
export function createTransactionStep(
  port: StepPort,
  transactions: StepTransactions,
  options: RunStepOptions = {},
): StepContext['transaction'] {
  const defaults = defaultsOf(options);
  return <T>(name: string, ...rest: [unknown, unknown?]) => {
    const given = functionAndOptions(rest);
    const fn = given.fn as TransactionFunction<T, CallerTransaction>;
    const kind: TriedKind = {
      of: OF,
      execute: (call, { timeoutMs = Number.POSITIVE_INFINITY, attempt }) =>
        transactions.perform(call, async (trx) => {
          const about = { timeoutMs: Math.min(timeoutMs, transactions.limitMs), attempt, transaction: trx };
          return port.encode(
            call,
            await port.call(call, about, async (signal) => await fn(trx, signal, { attempt })),
          );
        }),
      complete: (call) => port.noteStored(call),
    };
    return port.begin(() => tryStep<T>(port, kind, { name, ...given, defaults }));
  };
}
