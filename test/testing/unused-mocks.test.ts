import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../src/index.ts';
import { createTestDurably } from '../../src/testing.ts';

const pay = defineJob({
  name: 'payment',
  input: z.boolean(),
  run: async (step, isLarge) => {
    await step.run('charge', () => 'really');
    if (isLarge) await step.sleep('cool down', '1h');
    return await step.run('thank', () => 'really');
  },
});

async function paid({ isLarge = false } = {}, ...mocks: ((t: Test) => unknown)[]) {
  const t = await createTestDurably({ jobs: { pay } });
  for (const mock of mocks) mock(t);
  await t.run(pay, isLarge);
  await t.stop();
  return t;
}

type Test = Awaited<ReturnType<typeof createTestDurably>>;

describe('a mock or a crash whose step was never executed', () => {
  it.each<[string, (t: Test) => unknown, string]>([
    [
      'a misspelled mock',
      (t) => t.mockStep('chrage', () => 1),
      'mockStep: the step "chrage" was never executed; did you mean "charge"?',
    ],
    [
      'a misspelled crash',
      (t) => t.crashAfter('thanks', { jobName: 'payment' }),
      'crashAfter: the step "thanks" of job "payment" was never executed; did you mean "thank"?',
    ],
    ['another name', (t) => t.mockStep('refund', 'hangs'), 'mockStep: the step "refund" was never executed'],
    [
      'a step that was not reached',
      (t) => t.crashAfter('cool down'),
      'crashAfter: the step "cool down" was never executed',
    ],
  ])('is named when the instance is stopped: %s', async (_, mock, message) => {
    await expect(paid({}, mock)).rejects.toThrow(message);
  });

  it('is named with all others, in their order', async () => {
    const both = paid(
      {},
      (t) => t.mockStep('one', 'hangs'),
      (t) => t.mockStep('two', 'hangs'),
    );
    await expect(both).rejects.toThrow(/"one".*; mockStep: the step "two"/);
  });

  it('is no fault if it is optional or was ended, or if the step was executed', async () => {
    const t = await paid(
      { isLarge: true },
      (t) => t.mockStep('refund', () => 1, { optional: true }),
      (t) => t.crashAfter('refund', { optional: true, jobName: 'payment' }),
      (t) => t.mockStep('refund', () => 1)(),
      (t) => t.mockStep('charge', () => 1, { jobName: 'payment' }),
      (t) => t.crashAfter('cool down'),
    );
    expect(t).toBeDefined();
  });

  it('is logged by `await using`, which must not hide the error of a test', async () => {
    const warnings: string[] = [];
    const logger = { info() {}, warn: (line: unknown) => void warnings.push(String(line)), error() {} };
    const t = await createTestDurably({ jobs: { pay }, logger });
    t.mockStep('chrage', () => 1);
    await t.run(pay, false);
    await t[Symbol.asyncDispose]();
    expect(warnings).toEqual(['mockStep: the step "chrage" was never executed; did you mean "charge"?']);
  });
});

describe('a place of a mock or a crash', () => {
  it.each<[string, (t: Test) => unknown, string]>([
    [
      'an unknown job',
      (t) => t.mockStep('charge', () => 1, { jobName: 'paymnet' }),
      'Job not found: paymnet; did you mean "payment"?',
    ],
    [
      'an unknown job',
      (t) => t.crashAfter('charge', { jobName: 'paymnet' }),
      'Job not found: paymnet; did you mean "payment"?',
    ],
    [
      'a misspelled option',
      (t) => t.mockStep('charge', () => 1, { jobname: 'pay' } as never),
      'Unknown mockStep option "jobname"; did you mean "jobName"?',
    ],
    ['no name', (t) => t.crashAfter(7 as never), 'crashAfter needs the name of a step, not 7'],
    [
      'no function',
      (t) => t.mockStep('charge', 'hang' as never),
      'mockStep needs a function or \'hangs\', not "hang"',
    ],
    [
      'no flag',
      (t) => t.crashAfter('charge', { optional: 'yes' as never }),
      'optional must be true or false, not "yes"',
    ],
  ])('is refused at once for %s', async (_, mock, message) => {
    const t = await createTestDurably({ jobs: { pay } });
    onTestFinished(() => t.stop());
    expect(() => mock(t)).toThrow(message);
  });
});
