import type { Transaction } from 'kysely';

/** A Kysely transaction on tables that are not known here. */
// biome-ignore lint/suspicious/noExplicitAny: with unknown, no table would have a name.
export type AnyTransaction = Transaction<any>;
