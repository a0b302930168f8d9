import type { Contender } from './contender.ts';

/** Loads a contender when it is needed, so that a peer that can't be loaded does not stop the others. */
const contenders = {
  floor: async () => (await import('./floor.ts')).floorFull,
  'floor-normal': async () => (await import('./floor.ts')).floorNormal,
  loop: async () => (await import('./loop.ts')).loop,
  durably: async () => (await import('./durably.ts')).durablyDocumented,
  'durably-service': async () => (await import('./durably.ts')).durablyService,
  coji: async () => (await import('./coji.ts')).coji,
  openworkflow: async () => (await import('./openworkflow.ts')).openworkflow,
  plainjob: async () => (await import('./plainjob.ts')).plainjob,
} satisfies Record<string, () => Promise<Contender>>;

export type ContenderName = keyof typeof contenders;

export const loadContender = (name: ContenderName): Promise<Contender> => contenders[name]();

export const labels: Readonly<Record<ContenderName | 'bare', string>> = {
  floor: 'floor, FULL',
  'floor-normal': 'floor, NORMAL',
  loop: 'loop, one batch under way',
  durably: 'durably, LibsqlDialect',
  'durably-service': 'durably, service default',
  coji: '@coji/durably 0.15.0',
  openworkflow: 'openworkflow 0.10.1',
  plainjob: 'plainjob 0.0.14',
  bare: 'bare Hono',
};
