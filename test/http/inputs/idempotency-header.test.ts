import { describe, expect, it } from 'vitest';
import { IdempotencyKeyReusedError } from '../../../src/core/errors/errors.ts';
import { doors, readProblem, requestTo } from '../doors.ts';
import { fakeDurably, sampleRun } from '../fake-durably.ts';

const post = (path: string, body: unknown, key: string) =>
  requestTo(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(body),
  });

describe.each(doors)('the header Idempotency-Key, through $door', ({ open }) => {
  it.each([
    ['"8e03978e-40d5"', '8e03978e-40d5'],
    ['8e03978e-40d5', '8e03978e-40d5'],
    ['"one, two"', 'one, two'],
    ['one,two', 'one,two'],
    ['"a \\"quoted\\" \\\\ key"', 'a "quoted" \\ key'],
  ])('%s is the key of a trigger, which refuses another input', async (header, key) => {
    const durably = fakeDurably();
    const response = await open(durably)(post('/trigger', { jobName: 'greet' }, header));
    expect(await response.json()).toEqual({ runId: sampleRun.id, disposition: 'created' });
    expect(durably.calls).toMatchObject([
      { method: 'triggerForId', args: [{ idempotencyKey: key, idempotencyKeyReuse: 'refuse' }] },
    ]);
  });

  it('may repeat the key of the body, and not contradict it', async () => {
    const body = { jobName: 'greet', idempotencyKey: 'one' };
    expect((await open(fakeDurably())(post('/trigger', body, '"one"'))).status).toBe(200);
    const durably = fakeDurably();
    const { status, body: problem } = await readProblem(await open(durably)(post('/trigger', body, 'two')));
    expect([status, problem]).toMatchObject([400, { issues: [{ path: ['Idempotency-Key'] }] }]);
    expect(durably.calls).toEqual([]);
  });

  it.each(['"open', '"a"b"', '"a" ; b'])('is refused if it is malformed: %s', async (header) => {
    const durably = fakeDurably();
    const { status, body } = await readProblem(
      await open(durably)(post('/trigger', { jobName: 'greet' }, header)),
    );
    expect([status, body]).toMatchObject([400, { code: 'VALIDATION' }]);
    expect(durably.calls).toEqual([]);
  });

  it.each([
    ['one', 'two', 400],
    ['"one"', '"two"', 400],
    ['"one"', 'one', 400],
    ['one', 'one', 200],
    ['"one"', '"one"', 200],
  ])('that is there twice, as %s and %s, is answered with %i', async (first, second, expected) => {
    const durably = fakeDurably();
    const request = post('/trigger', { jobName: 'greet' }, first);
    request.headers.append('idempotency-key', second);
    expect((await open(durably)(request)).status).toBe(expected);
    const key = { args: [{ idempotencyKey: 'one' }] };
    expect(durably.calls).toMatchObject(expected === 200 ? [key] : []);
  });

  it('used again with another input is answered with 422', async () => {
    const durably = fakeDurably({
      triggerForId: async () => {
        throw new IdempotencyKeyReusedError();
      },
    });
    const { status, body } = await readProblem(
      await open(durably)(post('/trigger', { jobName: 'greet' }, 'key')),
    );
    expect([status, body]).toMatchObject([422, { code: 'IDEMPOTENCY_KEY_REUSED' }]);
  });

  it('does not go with a batch, whose runs have keys of their own', async () => {
    const durably = fakeDurably();
    const { status, body } = await readProblem(
      await open(durably)(post('/trigger/batch', { runs: [{ jobName: 'greet' }] }, 'key')),
    );
    expect([status, body]).toMatchObject([400, { issues: [{ path: ['Idempotency-Key'] }] }]);
    expect(durably.calls).toEqual([]);
  });
});
