import type { Connection } from '../../connection/connection.ts';
import { NOW_MS } from '../../sql.ts';
import { portionWrites } from '../portion-writes.ts';

/** How many rows of the journal are looked at in one write, because other writes wait meanwhile. */
const PORTION_ROWS = 2_000;
/** A portion takes about as long as it takes to write so many rows. On a server it leaves together with other writes. */
const WRITTEN_ROWS = 500;

const HEAD = '(select coalesce(max(sequence), 0) from durably_journal)';

/**
 * SQL: up to which row events are in the stats, and where the journal ends. The events until `folded_ms` are in the stats, those
 * until `now_ms` are in the journal.
 */
export const PLACE_COLUMNS = `up_to, ${HEAD} as head, ${NOW_MS} as now_ms,
  coalesce((select j.created_at from durably_journal j where j.sequence <= up_to order by j.sequence desc limit 1), 0) as folded_ms`;

export interface PlaceRow {
  readonly up_to: number;
  readonly head: number;
  readonly now_ms: number;
  readonly folded_ms: number;
}

/** The schema's trigger adds the events in between. Sent twice, it adds the next portion, each event once. */
const FOLD = `
update durably_stats_place set up_to = min(up_to + ${PORTION_ROWS}, ${HEAD}) where id = 1 and up_to < ${HEAD}
returning ${PLACE_COLUMNS}`;

const folds = portionWrites({ name: 'stats', rows: WRITTEN_ROWS });

/** Where the stats are after another portion. Undefined if there was nothing to add. */
export async function foldPortion(
  connection: Connection,
  deadlineMs: number = connection.callerDeadline(),
): Promise<PlaceRow | undefined> {
  const [row] = await connection.lane.submit(folds, { sql: FOLD, parameters: [] }, deadlineMs);
  if (row === undefined) return undefined;
  return {
    up_to: Number(row.up_to),
    head: Number(row.head),
    now_ms: Number(row.now_ms),
    folded_ms: Number(row.folded_ms),
  };
}

/** Adds a portion of the new events to the stats. Whether there are more. */
export async function foldStats(connection: Connection): Promise<boolean> {
  const place = await foldPortion(connection);
  return place !== undefined && place.up_to < place.head;
}
