import { describe, expect, test } from 'vitest';
import { idle } from '../../support/idle.ts';
import { agesOf, journal } from './held-journal.ts';

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

  test('tells when an outcome leaves, which is not before the append under way was answered', async () => {
    const { clock, log, owner, texts, appends } = journal();
    const left: number[] = [];
    log('telemetry');
    clock.advance(50);
    const waits = owner.record({ type: 'run:wait', data: '{}' }, () => left.push(appends.length));
    await idle();
    expect([texts(), left]).toEqual([[['telemetry']], []]);
    appends[0]?.answer.resolve('stored');
    await idle();
    expect([texts(), left]).toEqual([[['telemetry'], ['run:wait']], [1]]);
    appends[1]?.answer.resolve('stored');
    expect(await waits).toBe('stored');
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
  test('forgets waiting entries when it is closed', async () => {
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
