import { type CompiledQuery, createQueryId, RawNode, SelectQueryNode } from 'kysely';

/** Whether a statement may change something. */
export type StatementKind = 'read' | 'write';

/** The root nodes of durably's own queries. Each is one object, which identifies the query as durably's. */
const OWN_NODES = { read: SelectQueryNode.create(), write: RawNode.createWithSql('') } as const;

export interface OwnStatement {
  readonly kind: StatementKind;
  readonly sql: string;
  readonly parameters: readonly (string | number)[];
}

/** A statement of durably's own as a query for Kysely and its drivers. */
export function ownQuery({ kind, sql, parameters }: OwnStatement): CompiledQuery {
  return { sql, parameters: [...parameters], query: OWN_NODES[kind], queryId: createQueryId() };
}

/** Whether {@link ownQuery} made the query. Other queries come through `durably.db`. */
export function isOwnQuery({ query }: CompiledQuery): boolean {
  return query === OWN_NODES.read || query === OWN_NODES.write;
}

/**
 * Whether a query reads or writes. Kysely builds a select as a node of its own. SQL that a user
 * wrote by hand counts as a write, because it may be one.
 */
export function kindOf({ query }: CompiledQuery): StatementKind {
  return SelectQueryNode.is(query) ? 'read' : 'write';
}
