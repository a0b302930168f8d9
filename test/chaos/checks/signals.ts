import { groupBy } from '../support/group-by.ts';
import type { SentSignal } from '../support/postman.ts';
import type { JournalRecord, Records, RunRecord, SignalRecord } from '../support/records.ts';

/** A signal with its journal row. The sender made its number. */
interface Told {
  readonly signal: SignalRecord;
  readonly number: number;
  /** The place of its row in the journal. */
  readonly sequence: number;
}

/**
 * Whether exactly the accepted signals are stored, and each was taken by at most one step, in the order in which they
 * came. A wait may time out only if there was no signal for it when its run was claimed.
 */
export function checkSignals(records: Records, sent: readonly SentSignal[]): string[] {
  const ofRun = groupBy(records.signals, ({ run_id }) => run_id);
  const journal = groupBy(records.journal, ({ run_id }) => run_id);
  return [
    ...checkSent(records.signals, sent),
    ...records.runs.flatMap((run) => checkRun(run, ofRun.get(run.id) ?? [], journal.get(run.id) ?? [])),
  ];
}

function checkSent(stored: readonly SignalRecord[], sent: readonly SentSignal[]): string[] {
  const keyOf = (runId: string, signalId: string) => `${signalId} to ${runId}`;
  const byKey = groupBy(stored, ({ run_id, signal_id }) => keyOf(run_id, signal_id));
  return sent.flatMap(({ runId, body, answer }) => {
    const key = keyOf(runId, body.signalId);
    const rows = byKey.get(key) ?? [];
    if (answer === 'refused') return rows.length === 0 ? [] : [`${key} was refused, and is stored`];
    const [row] = rows;
    if (row === undefined || rows.length > 1)
      return [`${key} was accepted, and is stored ${rows.length} times`];
    const isSame = row.name === body.name && row.payload === JSON.stringify(body.payload);
    return isSame ? [] : [`${key} is stored with another name or payload`];
  });
}

function checkRun(
  run: RunRecord,
  signals: readonly SignalRecord[],
  journal: readonly JournalRecord[],
): string[] {
  const rows = journal.filter(({ type }) => type === 'run:signal');
  const sequences = new Map(rows.map((row) => [numberOf(row.data), row.sequence]));
  const complaints =
    rows.length === signals.length
      ? []
      : [`has ${signals.length} signals, and ${rows.length} events of them`];
  const told = signals.map((signal): Told => {
    const number = numberOf(signal.payload) ?? -1;
    return { signal, number, sequence: sequences.get(number) ?? Number.NaN };
  });
  const outcomes = journal.filter(
    ({ type, step_name }) => type === 'step:complete' && step_name?.startsWith('signal '),
  );
  const taken = outcomes.flatMap(({ data }) => numberOf(data) ?? []);
  for (const { number, signal } of told) {
    const times = taken.filter((each) => each === number).length;
    if (times !== signal.is_taken)
      complaints.push(`has ${signal.signal_id}, taken ${times} times and marked ${signal.is_taken}`);
  }
  for (const number of taken) {
    if (!told.some((each) => each.number === number))
      complaints.push(`took signal ${number}, which is not its own`);
  }
  for (const ofName of groupBy(told, ({ signal }) => signal.name).values()) {
    const inOrder = ofName.map(({ number }) => number);
    const order = taken.filter((number) => inOrder.includes(number));
    if (order.join() !== inOrder.slice(0, order.length).join())
      complaints.push(`took ${order.join()} of the signals ${inOrder.join()}`);
  }
  complaints.push(...findMissed(run, { told, outcomes, journal }));
  return complaints.map((complaint) => `${run.id} ${complaint}`);
}

/** Waits that timed out although a signal of their name was there. */
function findMissed(
  { payload }: RunRecord,
  {
    told,
    outcomes,
    journal,
  }: {
    readonly told: readonly Told[];
    readonly outcomes: readonly JournalRecord[];
    readonly journal: readonly JournalRecord[];
  },
): string[] {
  return outcomes
    .filter(({ data }) => data === null)
    .flatMap(({ step_name, sequence, claim }) => {
      const claimed = journal.find((row) => row.claim === claim)?.sequence ?? 0;
      const name = signalOf(payload, step_name ?? '');
      const takenBefore = outcomes.filter((row) => row.sequence < sequence).map(({ data }) => numberOf(data));
      const missed = told.find(
        (each) => each.signal.name === name && each.sequence < claimed && !takenBefore.includes(each.number),
      );
      return missed === undefined
        ? []
        : [`timed out in ${step_name}, and ${missed.signal.signal_id} was there`];
    });
}

/** The name of the signal for which a step of the run's plan waits. */
function signalOf(payload: string, stepName: string): string | undefined {
  const { actions = [] } = JSON.parse(payload) as { actions?: PlannedAction[] };
  const all = actions.flatMap((action) => action.actions ?? [action]);
  return all.find(({ name }) => name === stepName)?.signal;
}

interface PlannedAction {
  readonly name?: string;
  readonly signal?: string;
  readonly actions?: readonly PlannedAction[];
}

function numberOf(data: string | null): number | undefined {
  const value = JSON.parse(data ?? 'null') as { number?: number } | null;
  return value?.number;
}
