import type { Append, Store } from '../core/store.ts';

interface End {
  /** Whether the process has ended. */
  readonly isGone: () => boolean;
  /** Called with what was stored. The process may end with that: then it never learns of it. */
  readonly onStored: (append: Append) => void;
}

/**
 * The store of a process that may end at any time. After that its worker gets no answer any more, as if it had never asked.
 * Callers still do.
 */
export function withEnd(store: Store, { isGone, onStored }: End): Store {
  const lost = new Promise<never>(() => undefined);
  const unlessGone =
    <TArguments extends unknown[], T>(method: (...args: TArguments) => Promise<T>) =>
    async (...args: TArguments): Promise<T> => {
      if (isGone()) return await lost;
      const result = await method(...args);
      return isGone() ? await lost : result;
    };
  return {
    ...store,
    // What a worker does.
    claim: unlessGone(store.claim),
    transact: unlessGone(async (begin, work) => {
      const appended: Append[] = [];
      const end = await store.transact(begin, ({ trx, append }) =>
        work({
          trx,
          append: async (given) => {
            appended.push(given);
            return await append(given);
          },
        }),
      );
      if (end.kind === 'committed') for (const each of appended) onStored(each);
      return end;
    }),
    settleAppend: unlessGone(store.settleAppend),
    renew: unlessGone(store.renew),
    handBack: unlessGone(store.handBack),
    fireSlots: unlessGone(store.fireSlots),
    append: unlessGone(async (append) => {
      const result = await store.append(append);
      if (result === 'stored') onStored(append);
      return result;
    }),
  };
}
