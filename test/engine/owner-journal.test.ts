import { describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../src/core/errors/errors.ts';
import type { ClaimedRun } from '../../src/core/ownership/claim.ts';
import type { AppendResult as Answer, Append } from '../../src/core/store.ts';
import { EventBus } from '../../src/engine/events/event-bus.ts';
import { LogBudget } from '../../src/engine/execution/log-budget.ts';
import { OwnerJournal } from '../../src/engine/execution/owner-journal.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { fakeStore } from '../support/fake-store.ts';
import { idle } from '../support/idle.ts';
import { type Deferred, deferred } from '../support/until.ts';

const RUN: ClaimedRun = {
  runId: 'run_1',
  jobName: 'job',
  payload: 'null',
  attempt: 3,
  concurrencyKey: null,
  stepCount: 0,
  lostCount: 0,
  retryCount: 0,
  version: 1,
  databaseAheadMs: 0,
  claimedAtMs: 0,
  parentRunId: null,
  depth: 0,
  kind: 'start',
  fence: 1,
};

/** A journal whose appends wait until the test answers them, or get the given answer. */
function journal(answer?: (append: Append) => Promise<Answer>) {
  const clock = new FakeClock();
  const bus = new EventBus(clock);
  const appends: { readonly append: Append; readonly answer: Deferred<Answer> }[] = [];
  const store = fakeStore({
    append: (append) => {
      const held = deferred<Answer>();
      appends.push({ append, answer: held });
      return answer ? answer(append) : held.promise;
    },
  });
  const errors: string[] = [];
  bus.on('worker:error', ({ context }) => errors.push(context));
  const heard: string[] = [];
  bus.on('log:write', ({ message }) => heard.push(message));
  const owner = new OwnerJournal(RUN, { store, bus, clock, logBudget: new LogBudget() });
  const log = (message: string) => owner.note({ type: 'log:write', message });
  const step = (stepName: string) =>
    owner.record({ type: 'step:complete', stepName, stepIndex: 0, durationMs: 1.6 });
  const texts = () =>
    appends.map(({ append }) => append.entries.map(({ note }) => note.message ?? note.stepName ?? note.type));
  return { clock, appends, errors, heard, owner, log, step, texts };
}

/** How long before the append each entry happened. */
function agesOf(append: Append | undefined): readonly number[] {
  return append?.entries.map(({ atMs }) => append.sentAtMs - atMs) ?? [];
}

describe("an owner's journal", () => {
  test('sends telemetry with the next outcome, before it, in one append', async () => {
    const { log, step, texts, appends } = journal();
    log('one');
    log('two');
    const stored = step('step');
    expect(texts()).toEqual([['one', 'two', 'step']]);
    expect(appends[0]?.append).toMatchObject({ lease: { runId: 'run_1', fence: 1 }, number: 1 });
    appends[0]?.answer.resolve('stored');
    expect(await stored).toBe('stored');
  });

  test('sends telemetry on its own after 50 ms, once', async () => {
    const { clock, log, texts, appends } = journal();
    log('one');
    clock.advance(30);
    log('two');
    clock.advance(19);
    expect(texts()).toEqual([]);
    clock.advance(1);
    expect(texts()).toEqual([['one', 'two']]);
    appends[0]?.answer.resolve('stored');
    await idle();
    clock.advance(1_000);
    expect(texts()).toHaveLength(1);
    log('three');
    clock.advance(50);
    expect(texts()[1]).toEqual(['three']);
  });

  test('sends the age of each entry', async () => {
    const { clock, log, step, appends } = journal();
    log('one');
    clock.advance(20);
    log('two');
    clock.advance(15);
    void step('step');
    const [{ append } = { append: undefined }] = appends;
    expect(agesOf(append)).toEqual([35, 15, 0]);
    expect(append?.entries[2]?.note).toMatchObject({ type: 'step:complete', durationMs: 1.6 });
  });

  test('sends a hundred waiting entries at once, and at most two hundred in one append', async () => {
    const { log, step, texts, appends } = journal();
    for (let i = 0; i < 99; i++) log(`${i}`);
    expect(texts()).toEqual([]);
    log('99');
    expect(texts().map(({ length }) => length)).toEqual([100]);
    for (let i = 0; i < 450; i++) log(`later ${i}`);
    void step('step');
    for (let i = 0; i < 4; i++) {
      appends[i]?.answer.resolve('stored');
      await idle();
    }
    expect(texts().map(({ length }) => length)).toEqual([100, 200, 200, 51]);
    expect(texts().at(-1)?.at(-1)).toBe('step');
    expect(appends.map(({ append }) => append.number)).toEqual([1, 2, 3, 4]);
  });

  test('has one append under way at a time, and sends later entries in order', async () => {
    const { log, step, texts, appends } = journal();
    const first = step('first');
    log('between');
    const others = [step('second'), step('third')];
    await idle();
    expect(texts()).toEqual([['first']]);
    appends[0]?.answer.resolve('stored');
    await first;
    await idle();
    expect(texts()[1]).toEqual(['between', 'second', 'third']);
    appends[1]?.answer.resolve('stored');
    expect(await Promise.all(others)).toEqual(['stored', 'stored']);
  });

  test('sends an outcome at whatever moment it arrives', async () => {
    for (let hops = 0; hops < 20; hops++) {
      const { step, texts, appends } = journal();
      const first = step('first');
      await idle();
      appends[0]?.answer.resolve('stored');
      for (let i = 0; i < hops; i++) await Promise.resolve();
      void step('second');
      await first;
      await idle();
      expect({ hops, texts: texts() }).toEqual({ hops, texts: [['first'], ['second']] });
    }
  });

  test('informs listeners when an entry is stored, not before', async () => {
    const { clock, log, heard, appends } = journal();
    log('one');
    clock.advance(50);
    await idle();
    expect(heard).toEqual([]);
    appends[0]?.answer.resolve('stored');
    await idle();
    expect(heard).toEqual(['one']);
  });
});

describe('an unavailable database', () => {
  test('is asked again with the same number until the result of the append is known', async () => {
    let tries = 0;
    const { clock, step, appends, errors } = journal(async () => {
      if (++tries < 4) throw new DatabaseUnavailableError('away');
      return 'stored';
    });
    let result: Answer | undefined;
    void step('step').then((answer) => {
      result = answer;
    });
    for (let i = 0; i < 20 && result === undefined; i++) {
      await idle();
      clock.advance(5_000);
    }
    expect(result).toBe('stored');
    expect(appends.map(({ append }) => append.number)).toEqual([1, 1, 1, 1]);
    expect(errors).toEqual(['append']);
  });

  test('fails the outcome at once if the outage is permanent', async () => {
    const permanent = new DatabaseUnavailableError('gone', { permanent: true });
    const { step, appends } = journal(() => Promise.reject(permanent));
    await expect(step('step')).rejects.toBe(permanent);
    expect(appends).toHaveLength(1);
  });

  test('is not asked again after the run has ended', async () => {
    const { clock, owner, step, appends } = journal(() =>
      Promise.reject(new DatabaseUnavailableError('away')),
    );
    const result = step('step');
    await idle();
    owner.close();
    clock.advance(5_000);
    expect(await result).toBe('refused');
    expect(appends.length).toBeLessThanOrEqual(2);
  });
});

describe('a refused append', () => {
  test('also refuses waiting and later entries', async () => {
    const { clock, log, step, texts, appends, heard } = journal();
    const first = step('first');
    log('waits');
    const second = step('second');
    appends[0]?.answer.resolve('refused');
    expect(await Promise.all([first, second, step('third')])).toEqual(['refused', 'refused', 'refused']);
    log('later');
    clock.advance(1_000);
    await idle();
    expect(texts()).toEqual([['first']]);
    expect(heard).toEqual([]);
  });

  test('rejects only its outcome if the fault is its own', async () => {
    const broken = new Error('statement refused');
    const { step } = journal((append) =>
      append.number === 1 ? Promise.reject(broken) : Promise.resolve('stored' as const),
    );
    await expect(step('first')).rejects.toBe(broken);
    expect(await step('second')).toBe('stored');
  });

  test('is reported as worker:error if it holds only telemetry', async () => {
    const { clock, log, errors } = journal(() => Promise.reject(new Error('statement refused')));
    log('one');
    clock.advance(50);
    await idle();
    expect(errors).toEqual(['telemetry']);
  });
});

describe('an append that is large, or is refused', () => {
  test('is split when it has enough characters', async () => {
    const { log, step, texts, appends } = journal();
    const [one, two] = ['1'.repeat(200_000), '2'.repeat(200_000)];
    log(one);
    log(two);
    void step('step');
    expect(texts()).toEqual([[one]]);
    appends[0]?.answer.resolve('stored');
    await idle();
    expect(texts()).toEqual([[one], [two, 'step']]);
  });

  const refusing = (text: string) => (append: Append) =>
    append.entries.some(({ note }) => note.message === text || note.stepName === text)
      ? Promise.reject(new Error('statement refused'))
      : Promise.resolve('stored' as const);

  test('does not affect its neighbours, which are sent alone and in order', async () => {
    const { log, step, heard, errors } = journal(refusing('bad'));
    log('one');
    log('bad');
    log('two');
    expect(await step('step')).toBe('stored');
    expect(heard).toEqual(['one', 'two']);
    expect(errors).toEqual(['telemetry']);
  });

  test('rejects the outcome that caused it, and no other', async () => {
    const { step } = journal(refusing('bad'));
    // The first is under way alone, and the next two wait for it together.
    const outcomes = await Promise.allSettled([step('first'), step('bad'), step('good')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  test('keeps the end of a run in its last row', async () => {
    const { owner, log, texts } = journal(refusing('bad'));
    log('bad');
    const ended = owner.record({ type: 'run:complete', data: 'null' });
    for (let turn = 0; turn < 5; turn++) {
      log('late');
      await idle();
    }
    expect(await ended).toBe('stored');
    expect(texts().at(-1)).toEqual(['run:complete']);
    expect(texts().flat()).not.toContain('late');
  });
});

describe('progress', () => {
  const progressed = (kept: ReturnType<typeof journal>) => {
    const texts = () =>
      kept.appends.map(({ append }) =>
        append.entries.map(({ note }) => note.data ?? note.message ?? note.stepName ?? note.type),
      );
    const progress = (current: number) => kept.owner.note({ type: 'run:progress', data: `${current}` });
    return { ...kept, texts, progress };
  };

  test('keeps the last of several waiting reports, at the position of the last call', async () => {
    const { clock, log, progress, texts, appends } = progressed(journal());
    progress(1);
    log('one');
    progress(2);
    clock.advance(10);
    for (let i = 3; i <= 100_000; i++) progress(i);
    log('two');
    clock.advance(40);
    expect(texts()).toEqual([['one', '100000', 'two']]);
    expect(agesOf(appends[0]?.append)).toEqual([50, 40, 40]);
    appends[0]?.answer.resolve('stored');
    await idle();
    // The earlier report has already left, so the next one counts as new.
    progress(5);
    clock.advance(50);
    expect(texts()[1]).toEqual(['5']);
  });

  test('is not moved across an outcome', async () => {
    const { step, log, progress, texts, appends } = progressed(journal());
    void step('first');
    progress(1);
    progress(2);
    log('between');
    void step('second');
    progress(3);
    progress(4);
    void step('third');
    appends[0]?.answer.resolve('stored');
    await idle();
    expect(texts()).toEqual([['first'], ['2', 'between', 'second', '4', 'third']]);
  });

  test('is the last report when the run ends', async () => {
    const { owner, progress, texts } = progressed(journal());
    progress(1);
    progress(2);
    void owner.record({ type: 'run:complete', data: 'done' });
    expect(texts()).toEqual([['2', 'done']]);
  });
});

describe('log lines that arrive faster than they are stored', () => {
  const line = 'x'.repeat(1024 * 1024);

  test('are left out beyond half of the budget, and one line says how many', async () => {
    const kept = journal(async () => 'stored');
    const { log, owner, texts } = kept;
    for (let i = 0; i < 1_000; i++) log(line);
    expect(owner.leavesOut('log:write')).toBe(true);
    expect(await owner.record({ type: 'run:complete', data: 'null' })).toBe('stored');
    const stored = texts().flat();
    const warning = stored.filter((text) => text !== line && text !== 'run:complete');
    const lines = stored.filter((text) => text === line).length;
    // A mebibyte of characters counts twice.
    expect(lines).toBeGreaterThanOrEqual(15);
    expect(lines).toBeLessThanOrEqual(17);
    expect(warning).toEqual([
      `${1_001 - lines} log lines were left out here: they came faster than they could be stored`,
    ]);
    expect(stored.slice(-2)).toEqual([warning[0], 'run:complete']);
    for (const group of texts()) expect(group.filter((text) => text === line).length).toBeLessThanOrEqual(1);
  });

  test('are accepted again after the waiting ones have been stored', async () => {
    const { clock, log, texts, owner } = journal(async () => 'stored');
    for (let i = 0; i < 100; i++) log(line);
    await owner.flush();
    log('after');
    clock.advance(50);
    expect(texts().at(-1)).toEqual(['after']);
  });

  test('are all stored if they are a hundred thousand short ones', async () => {
    const { log, owner, texts } = journal(async () => 'stored');
    for (let i = 0; i < 100_000; i++) log(`line ${i}`);
    await owner.flush();
    expect(texts().flat()).toHaveLength(100_000);
    expect(texts().flat().at(-1)).toBe('line 99999');
  });
});

describe("an owner's journal that holds back", () => {
  test('sends telemetry only with the next outcome, however much there is', async () => {
    const { clock, owner, log, step, texts } = journal();
    log('one');
    owner.holdBack();
    for (let i = 0; i < 150; i++) log('more');
    clock.advance(60_000);
    expect(texts()).toEqual([]);
    void step('step');
    expect(texts()[0]).toHaveLength(152);
    expect(texts()[0]?.at(-1)).toBe('step');
  });
});

describe("ending an owner's journal", () => {
  test('with close forgets waiting entries', async () => {
    const { clock, owner, log, texts } = journal();
    log('one');
    owner.close();
    clock.advance(1_000);
    expect(texts()).toEqual([]);
  });

  test('with seal stores waiting entries and accepts no more', async () => {
    const { owner, log, step, texts, appends } = journal();
    log('one');
    const sealed = owner.seal();
    log('two');
    expect(await step('late')).toBe('refused');
    expect(texts()).toEqual([['one']]);
    appends[0]?.answer.resolve('stored');
    await sealed;
    expect(texts()).toEqual([['one']]);
  });

  test('with flush waits until all entries are stored', async () => {
    const { owner, log, appends } = journal();
    await owner.flush();
    log('one');
    let isOver = false;
    const flushed = owner.flush().then(() => {
      isOver = true;
    });
    await idle();
    expect(isOver).toBe(false);
    appends[0]?.answer.resolve('stored');
    await flushed;
  });
});
