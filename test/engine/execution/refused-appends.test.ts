import { describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../../src/core/errors/errors.ts';
import type { AppendResult as Answer, Append } from '../../../src/core/store.ts';
import { idle } from '../../support/idle.ts';
import { journal } from './held-journal.ts';

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
