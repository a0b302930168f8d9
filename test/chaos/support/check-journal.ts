import { groupBy } from './group-by.ts';
import {
  type JournalRecord,
  journalByRun,
  type Records,
  type RunRecord,
  type StepRecord,
} from './records.ts';

type State = RunRecord['status'] | 'none';

/** Follows one run through its journal and reports every row that does not belong there. */
class JournalReader {
  readonly violations: string[] = [];
  readonly completedSteps = new Set<string>();
  readonly lastOutcome = new Map<string, JournalRecord>();
  state: State = 'none';
  attempt = 0;
  #begun = new Set<string>();

  read(row: JournalRecord): void {
    const name = row.step_name ?? '';
    switch (row.type) {
      case 'run:trigger':
        return this.#enter('pending', row, ['none']);
      case 'run:start':
        this.#enter('running', row, ['pending', 'running']);
        this.#expect(row.attempt === this.attempt + 1, row, `follows attempt ${this.attempt}`);
        this.attempt = row.attempt ?? 0;
        this.#begun = new Set();
        return;
      case 'run:resume':
        // A hand-back has no event.
        this.#enter('running', row, ['running']);
        this.#begun = new Set();
        return this.#expectOwner(row);
      case 'run:cancel':
        return this.#enter('cancelled', row, ['pending', 'running']);
      case 'run:retry':
        return this.#enter('pending', row, ['failed', 'cancelled']);
      case 'run:complete':
        this.#expectOwner(row);
        return this.#enter('completed', row, ['running']);
      case 'run:fail':
        this.#expectOwner(row);
        return this.#enter('failed', row, ['running']);
      case 'step:start':
        this.#expectOwner(row);
        this.#expect(!this.completedSteps.has(name), row, `starts the finished step ${name} again`);
        this.#begun.add(name);
        return;
      case 'step:complete':
      case 'step:fail':
        this.#expectOwner(row);
        this.#expect(!this.completedSteps.has(name), row, `stores the finished step ${name} again`);
        this.#expect(this.#begun.has(name), row, `ends the step ${name}, which did not start`);
        if (row.type === 'step:complete') this.completedSteps.add(name);
        this.lastOutcome.set(name, row);
        return;
      case 'log:write':
      case 'run:progress':
      case 'run:emit':
        return this.#expectOwner(row);
      default:
        this.#expect(false, row, 'is not to be here');
    }
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
    const reader = new JournalReader();
    for (const row of byRun.get(run.id) ?? []) reader.read(row);
    return [...reader.violations, ...checkProjection(run, reader, stepsByRun.get(run.id) ?? [])];
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
  // A hand-back has no event, so the journal still shows the run as running.
  const isHandedBack = run.status === 'pending' && reader.state === 'running';
  expect(isHandedBack || run.status === reader.state, `is ${run.status}, its journal says ${reader.state}`);
  expect(run.attempt === reader.attempt, `is at attempt ${run.attempt}, its journal at ${reader.attempt}`);
  expect(
    run.step_count === reader.completedSteps.size,
    `counts ${run.step_count} steps, its journal ${reader.completedSteps.size}`,
  );
  expect(
    steps.length === reader.lastOutcome.size,
    `has ${steps.length} steps, not ${reader.lastOutcome.size}`,
  );
  for (const step of steps) {
    const outcome = reader.lastOutcome.get(step.name);
    expect(outcome?.sequence === step.sequence, `has a step ${step.name} that is not its journal's last`);
  }
  return violations;
}

/** Whether all runs have ended, and those that failed did so because of their job. */
export function checkEnded({ runs }: Records): string[] {
  return runs
    .filter(({ status, error }) => {
      if (status === 'failed') return error !== 'this step is flaky';
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
  const unknown = runs.filter(({ idempotency_key }) => !accepted.has(idempotency_key ?? ''));
  return [...lost, ...unknown.map(({ id }) => `nobody was told of ${id}`)];
}
