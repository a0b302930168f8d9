import type { World } from '../../../support/world.ts';

/** A dialect that is not durably's own has no batches. Its connection must also be renewed from outside. */
export const hasBatches = ({ backend }: World) => !backend.needsReconnect;

/** Whether the database is reached over a network. */
export const isRemote = ({ backend }: World) => backend.locks === 'wait';
