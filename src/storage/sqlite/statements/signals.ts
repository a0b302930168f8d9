import type { SentSignal } from '../../../core/ownership/known-step.ts';
import { isTerminal, type RunStatus } from '../../../core/run.ts';
import { MAX_UNTAKEN_SIGNALS, type NewSignal, type SignalResult } from '../../../core/signal.ts';
import type { Rows, WriteKind } from '../../writes.ts';
import type { Connection } from '../connection/connection.ts';
import { readCurrent } from './current-reads.ts';
import { PLACES } from './places.ts';
import { isFrom } from './transitions.ts';

/**
 * Stores a signal of a run that is not over. The schema's trigger journals it, and wakes the run if
 * that waits for its name. ?1 its own id, ?2 the run, ?3 the name, ?4 the signal's id, ?5 the payload.
 */
const SEND = `
insert into durably_signals (id, run_id, name, signal_id, payload)
select ?1, r.id, ?3, ?4, ?5 from durably_runs r
where r.id = ?2 and ${isFrom('cancel', 'r')} and (
  select count(*) from durably_signals u indexed by durably_signals_untaken where u.run_id = r.id and u.is_taken = 0
) < ${MAX_UNTAKEN_SIGNALS}
on conflict (run_id, signal_id) do nothing
returning seq`;

/** The run, and the signal that it has by that id. Its parameters are those of {@link SEND}. */
const STATE = `
select r.status, r.job_name, s.id = ?1 as is_ours, s.name = ?3 and s.payload = ?5 as is_same,
  iif(s.id <> ?1 and s.name = ?3 and s.payload <> ?5, s.payload, null) as other_payload
from durably_runs r left join durably_signals s on s.run_id = r.id and s.signal_id = ?4
where r.id = ?2`;

interface StateRow {
  readonly status: RunStatus;
  readonly job_name: string;
  /** Null if the run has no signal of that id. */
  readonly is_ours: number | null;
  readonly is_same: number | null;
  /** That of a signal with the id and another payload. */
  readonly other_payload: string | null;
}

/** Stores signals in the order in which they came. Returns the result of each. */
const signals: WriteKind<NewSignal, SignalResult> = {
  name: 'signal',
  place: PLACES.signal,
  sizeOf: ({ payload }) => ({ rows: 1, chars: payload.length }),
  compile: (members) => ({
    statements: members.flatMap(({ id, runId, name, signalId, payload }) => {
      const parameters = [id, runId, name, signalId ?? id, payload];
      return [
        { sql: SEND, parameters },
        { kind: 'read', sql: STATE, parameters },
      ];
    }),
    decode: (answers) => members.map((_, i) => toResult(answers[2 * i + 1] ?? [])),
  }),
};

function toResult([row]: Rows): SignalResult {
  if (row === undefined) return { kind: 'not-found' };
  const { status, job_name, is_ours, is_same, other_payload } = row as unknown as StateRow;
  if (is_ours === 1) return { kind: 'accepted', jobName: job_name };
  if (is_ours === 0 && is_same === 1) return { kind: 'duplicate' };
  if (is_ours === 0) return { kind: 'conflict', payload: other_payload };
  return isTerminal(status) ? { kind: 'wrong-state', status } : { kind: 'full' };
}

/** A signal that is sent twice is stored once, because it is found by its id. */
export async function signal(connection: Connection, given: NewSignal): Promise<SignalResult> {
  return await connection.lane.submit(signals, given, connection.callerDeadline());
}

/** {@link readSignal} reads a larger payload, so that all untaken signals fit into one answer. */
const INLINE_BYTES = 1024;

const UNTAKEN = `
select g.seq, g.name, iif(octet_length(g.payload) <= ${INLINE_BYTES}, g.payload, null) as payload
from durably_signals g indexed by durably_signals_untaken
where g.run_id = ? and g.is_taken = 0
order by g.seq`;

export async function listSignals(connection: Connection, runId: string): Promise<SentSignal[]> {
  const rows = await readCurrent<{ seq: number; name: string; payload: string | null }>(connection, {
    sql: UNTAKEN,
    parameters: [runId],
  });
  return rows.map(({ seq, name, payload }) => ({ seq, name, payload: payload ?? undefined }));
}

const PAYLOAD = 'select payload from durably_signals where seq = ?';

export async function readSignal(connection: Connection, seq: number): Promise<string | undefined> {
  const [row] = await readCurrent<{ payload: string }>(connection, { sql: PAYLOAD, parameters: [seq] });
  return row?.payload;
}

const KEYS_ABOVE = `
with recursive above(id) as (
  select parent_run_id from durably_runs where id = ? and parent_run_id is not null
  union
  select r.parent_run_id from above a join durably_runs r on r.id = a.id where r.parent_run_id is not null
)
select r.concurrency_key as key from above a join durably_runs r on r.id = a.id where r.concurrency_key is not null and ${isFrom('cancel', 'r')}`;

/** The concurrency keys of the runs above a run. */
export async function listKeysAbove(connection: Connection, runId: string): Promise<string[]> {
  const rows = await readCurrent<{ key: string }>(connection, { sql: KEYS_ABOVE, parameters: [runId] });
  return rows.map(({ key }) => key);
}
