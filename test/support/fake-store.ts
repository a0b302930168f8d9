import type { Store } from '../../src/core/store.ts';

/** A store on which only the given methods may be called. */
export function fakeStore(methods: Partial<Store>): Store {
  const unexpected = (name: string) => (): never => {
    throw new Error(`store.${name} was not expected to be called`);
  };
  const names: readonly (keyof Store)[] = [
    ...([
      'migrate',
      'enqueue',
      'claim',
      'append',
      'renew',
      'handBack',
      'command',
      'getRun',
      'listRuns',
    ] as const),
    ...([
      'listSteps',
      'listLogs',
      'listKnownSteps',
      'readStepOutputs',
      'journalHead',
      'readJournal',
      'readRunJournal',
      'readJournalData',
    ] as const),
    ...(['deletePortion', 'purgePortion', 'ping', 'trouble'] as const),
  ];
  const none = Object.fromEntries(names.map((name) => [name, unexpected(name)]));
  return { ...(none as unknown as Store), ...methods };
}
