import type { WriteKind } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import type { OptionalSchema } from '../../migrations/optional-schema.ts';
import { PLACES } from '../places.ts';
import { DROP_RATES, MAX_REFRESHED } from './limits-sql.ts';

const drops: WriteKind<undefined, boolean> = {
  name: 'rates',
  place: PLACES.deletion,
  sizeOf: () => ({ rows: MAX_REFRESHED, chars: 0 }),
  compile: (members) => ({
    statements: [{ sql: DROP_RATES, parameters: [] }],
    decode: ([rows = []]) => members.map(() => rows.length >= MAX_REFRESHED),
  }),
};

/** Removes throttles that are as if they had never been used. */
export async function dropRates(connection: Connection, schema: OptionalSchema): Promise<boolean> {
  return schema.hasLimits && (await connection.lane.submit(drops, undefined));
}
