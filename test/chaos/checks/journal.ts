import { groupBy } from '../support/group-by.ts';
import {
  type JournalRecord,
  journalByRun,
  type Records,
  type RunRecord,
  type StepRecord,
} from '../support/records.ts';

type State = RunRecord['status'] | 'none';
const ACTIVE: readonly State[] = ['pending', 'waiting', 'running'];

/** What ends a run whose time was up, with or without its owner. */
const OUT_OF_TIME = /^(timed out after|not started within) /;

/** Follows one run through its journal and reports every row that does not belong there. */
class JournalReader {
  readonly violations: string[] = [];
  readonly completedSteps = new Set<string>();
  readonly lastOutcome = new Map<string, JournalRecord>();
  state: State = 'none';
  attempt = 0;
  /** The steps that the owner of the last claim began. */
  #begun = new Set<string>();
  /** The steps that some owner began and that have no outcome since. */
  readonly #open = new Set<string>();
  /** How many tries of an open step failed. */
  readonly #tries = new Map<string, number>();
  readonly #kindOf: (name: string) => StepRecord['kind'];

  constructor(steps: readonly StepRecord[]) {
    const kinds = new Map(steps.map(({ name, kind }) => [name, kind]));
    this.#kindOf = (name) => kinds.get(name) ?? 'run';
  }

  read(row: JournalRecord): void {
    const name = row.step_name ?? '';
    switch (row.type) {
      case 'run:trigger':
        return this.#enter(row.data?.includes('runAt') ? 'waiting' : 'pending', row, ['none']);
      case 'run:start':
        this.#enter('running', row, ['pending', 'waiting', 'running']);
        this.#expect(row.attempt === this.attempt + 1, row, `follows attempt ${this.attempt}`);
        this.attempt = row.attempt ?? 0;
        this.#begun = new Set();
        return;
      case 'run:resume':
        // A hand-back and a wake-up have no event.
        this.#enter('running', row, ['running', 'waiting']);
        this.#begun = new Set();
        return this.#expectOwner(row);
      case 'run:wait':
        this.#expectOwner(row);
        return this.#enter('waiting', row, ['running']);
      case 'run:signal':
        return this.#expect(ACTIVE.includes(this.state), row, `comes when the run is ${this.state}`);
      case 'run:cancel':
        return this.#enter('cancelled', row, ACTIVE);
      case 'run:retry':
        return this.#readRetry(row);
      case 'run:complete':
        this.#expectOwner(row);
        return this.#enter('completed', row, ['running']);
      case 'run:fail':
        if (OUT_OF_TIME.test(row.message ?? '')) return this.#enter('failed', row, ACTIVE);
        this.#expectOwner(row);
        return this.#enter('failed', row, ['running']);
      case 'step:start':
        this.#expectOwner(row);
        this.#expect(!this.completedSteps.has(name), row, `starts the finished step ${name} again`);
        this.#begun.add(name);
        this.#open.add(name);
        return;
      case 'step:retry':
        return this.#readTry(row, name);
      case 'step:complete':
      case 'step:fail':
        return this.#readOutcome(row, name);
      case 'log:write':
      case 'run:progress':
      case 'run:emit':
        return this.#expectOwner(row);
      default:
        this.#expect(false, row, 'is not to be here');
    }
  }

  /** An automatic retry is its owner's and says when it is due. One by hand has no data. */
  #readRetry(row: JournalRecord): void {
    if (row.data === null) {
      this.#tries.clear();
      return this.#enter('pending', row, ['failed', 'cancelled']);
    }
    this.#expectOwner(row);
    this.#enter('waiting', row, ['running']);
  }

  #readTry(row: JournalRecord, name: string): void {
    this.#expectOwner(row);
    this.#expect(this.#begun.has(name), row, `is of the step ${name}, which did not start`);
    this.#expect(!this.completedSteps.has(name), row, `is of the finished step ${name}`);
    const before = this.#tries.get(name) ?? 0;
    const { attempt } = JSON.parse(row.data ?? '{}') as { attempt?: number };
    this.#expect(attempt === before + 1, row, `counts ${attempt} tries of ${name} after ${before}`);
    this.#tries.set(name, before + 1);
  }

  #readOutcome(row: JournalRecord, name: string): void {
    this.#expectOwner(row);
    this.#expect(!this.completedSteps.has(name), row, `stores the finished step ${name} again`);
    // Steps without a function may have begun in an earlier execution.
    const hasBegun = this.#kindOf(name) === 'run' ? this.#begun : this.#open;
    this.#expect(hasBegun.has(name), row, `ends the step ${name}, which did not start`);
    if (row.type === 'step:complete') this.completedSteps.add(name);
    this.lastOutcome.set(name, row);
    this.#open.delete(name);
    this.#tries.delete(name);
  }

  #enter(state: State, row: JournalRecord, from: readonly State[]): void {
    this.#expect(from.includes(this.state), row, `comes when the run is ${this.state}`);
    this.state = state;
  }

  /** An owner's events must come while it owns the run. */
  #expectOwner(row: JournalRecord): void {
    this.#expect(this.state === 'running', row, `comes when the run is ${this.state}`);
    this.#expect(
      row.attempt === this.attempt,
      row,
      `is of attempt ${row.attempt} in attempt ${this.attempt}`,
    );
  }

  #expect(holds: boolean, row: JournalRecord, complaint: string): void {
    if (!holds) this.violations.push(`journal of ${row.run_id}: ${row.sequence} ${row.type} ${complaint}`);
  }
}

/** Whether each run's journal is a legal sequence that matches the stored runs and steps. */
export function checkJournal({ runs, steps, journal }: Records): string[] {
  const byRun = journalByRun(journal);
  const stepsByRun = groupBy(steps, (step) => step.run_id);
  const violations = runs.flatMap((run) => {
    const stepsOfRun = stepsByRun.get(run.id) ?? [];
    const reader = new JournalReader(stepsOfRun);
    for (const row of byRun.get(run.id) ?? []) reader.read(row);
    return [...reader.violations, ...checkProjection(run, reader, stepsOfRun)];
  });
  const known = new Set(runs.map(({ id }) => id));
  const orphans = [...byRun].filter(([id]) => !known.has(id));
  return [
    ...violations,
    ...orphans
      .filter(([, rows]) => rows.length !== 1 || rows[0]?.type !== 'run:delete')
      .map(([id]) => `the journal tells of ${id}, which is not there`),
    ...steps.filter((step) => !known.has(step.run_id)).map((step) => `a step of ${step.run_id} is left over`),
  ];
}

function checkProjection(run: RunRecord, reader: JournalReader, steps: readonly StepRecord[]): string[] {
  const violations: string[] = [];
  const expect = (holds: boolean, complaint: string) => {
    if (!holds) violations.push(`${run.id} ${complaint}`);
  };
  // A hand-back and a wake-up have no event, so the journal still shows the run as running or waiting.
  const isPendingAgain = run.status === 'pending' && ['running', 'waiting'].includes(reader.state);
  expect(isPendingAgain || run.status === reader.state, `is ${run.status}, its journal says ${reader.state}`);
  expect(run.attempt === reader.attempt, `is at attempt ${run.attempt}, its journal at ${reader.attempt}`);
  expect(
    run.step_count === reader.completedSteps.size,
    `counts ${run.step_count} steps, its journal ${reader.completedSteps.size}`,
  );
  const byName = new Map(steps.map((step) => [step.name, step]));
  for (const name of reader.lastOutcome.keys()) expect(byName.has(name), `has no step ${name}`);
  for (const step of steps) {
    const outcome = reader.lastOutcome.get(step.name);
    // A failed step may be open again.
    if (step.status === 'open') {
      expect(outcome?.type !== 'step:complete', `has a finished step ${step.name} that is open`);
      continue;
    }
    expect(outcome?.sequence === step.sequence, `has a step ${step.name} that is not its journal's last`);
  }
  return violations;
}

/** Whether all runs have ended, and those that failed did so because of their job. */
export function checkEnded(
  { runs }: Records,
  isExpected = (error: string): boolean => error === 'this step is flaky',
): string[] {
  return runs
    .filter(({ status, error }) => {
      if (status === 'failed') return !isExpected(error ?? '');
      return status !== 'completed' && status !== 'cancelled';
    })
    .map(({ id, status, attempt, error }) => `${id} is ${status} (attempt ${attempt}, error ${error})`);
}

/** Whether every accepted trigger has its run, and every key has one run. */
export function checkAccepted({ runs }: Records, accepted: ReadonlyMap<string, string>): string[] {
  const byKey = groupBy(runs, ({ idempotency_key }) => idempotency_key ?? '');
  const lost = [...accepted].flatMap(([key, id]) => {
    const ofKey = byKey.get(key) ?? [];
    const isKept = ofKey.length === 1 && ofKey[0]?.id === id;
    return isKept
      ? []
      : [`${key} was answered ${id}; stored is ${ofKey.map((run) => run.id).join(', ') || 'nothing'}`];
  });
  // A caller that gave up would not know its run. Here no caller gives up.
  const unknown = runs.filter(
    ({ idempotency_key, parent_run_id }) => parent_run_id === null && !accepted.has(idempotency_key ?? ''),
  );
  return [...lost, ...unknown.map(({ id }) => `nobody was told of ${id}`)];
}
