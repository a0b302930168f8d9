import { describe, expect, it } from 'vitest';
import { doors, postJson, readProblem, requestTo } from '../doors.ts';
import { fakeDurably } from '../fake-durably.ts';

describe.each(doors)('through $door', ({ open }) => {
  it.each([
    ['/runs', 'limit=0', 'limit must be a whole number from 1 to 1000, not 0'],
    ['/runs', 'limit=1001', 'limit must be a whole number from 1 to 1000, not 1001'],
    ['/runs', 'limit=', 'limit must be a whole number from 1 to 1000, not ""'],
    ['/runs', 'limit=1.5', 'limit must be a whole number from 1 to 1000, not "1.5"'],
    ['/runs', 'limit=1e2', 'limit must be a whole number from 1 to 1000, not "1e2"'],
    ['/runs', 'limit=-1', 'limit must be a whole number from 1 to 1000, not "-1"'],
    ['/runs', 'limit=ten', 'limit must be a whole number from 1 to 1000, not "ten"'],
    ['/runs', 'limit=5&limit=6', 'limit must be given once, not 2 times'],
    ['/runs', 'offset=-1', 'offset must be a whole number from 0 to 100000, not "-1"'],
    ['/runs', 'offset=100001', 'offset must be a whole number from 0 to 100000, not 100001'],
    ['/runs', 'offset=x', 'offset must be a whole number from 0 to 100000, not "x"'],
    [
      '/runs',
      'status=done',
      'status must be one of pending, waiting, running, completed, failed, cancelled, not "done"',
    ],
    [
      '/runs',
      'status=',
      'status must be one of pending, waiting, running, completed, failed, cancelled, not ""',
    ],
    [
      '/runs',
      'status=failed&status=x',
      'status must be one of pending, waiting, running, completed, failed, cancelled, not "x"',
    ],
    ['/runs', 'jobName=', 'jobName must not be empty'],
    ['/runs', 'jobName=%00', 'jobName must not hold a NUL or a lone surrogate, as "\\u0000" does'],
    ['/runs', 'jobName=%ff', 'jobName must be percent-encoded UTF-8, not "%ff"'],
    ['/runs', Array(21).fill('jobName=a').join('&'), 'jobName may be given at most 20 times, not 21'],
    [
      '/runs',
      'label.org=1&label.org=2',
      'label.org must be one string of at most 256 characters, not a list',
    ],
    [
      '/runs',
      `label.org=${'v'.repeat(257)}`,
      `label.org must be one string of at most 256 characters, not "${'v'.repeat(64)}…" (257 characters)`,
    ],
    ['/runs', 'label.org=%00', 'label.org must not hold a NUL or a lone surrogate, as "\\u0000" does'],
    ['/runs', 'label.org=%ff', 'label.org must be percent-encoded UTF-8, not "%ff"'],
    ['/runs', 'label.=1', 'label. must have a key of 1 to 64 letters, digits and ._/-, not ""'],
    ['/runs', 'label.a+b=1', 'label.a b must have a key of 1 to 64 letters, digits and ._/-, not "a b"'],
    [
      '/runs',
      'label.__proto__=1',
      'label.__proto__ must have a key of 1 to 64 letters, digits and ._/-, not "__proto__"',
    ],
    [
      '/runs',
      Array.from({ length: 21 }, (_, i) => `label.k${i}=1`).join('&'),
      'label must have at most 20 keys, not 21',
    ],
    [
      '/runs/subscribe',
      'label.%C3%A4=1',
      'label.ä must have a key of 1 to 64 letters, digits and ._/-, not "ä"',
    ],
    ['/runs/subscribe', 'jobName=', 'jobName must not be empty'],
    [
      '/runs/subscribe',
      'lastEventId=x',
      'lastEventId must be a whole number from 0 to 9007199254740991, not "x"',
    ],
    [
      '/subscribe',
      'runId=r&lastEventId=-1',
      'lastEventId must be a whole number from 0 to 9007199254740991, not "-1"',
    ],
    ['/subscribe', 'runId=r&lastEventId=1&lastEventId=2', 'lastEventId must be given once, not 2 times'],
    ['/logs', 'runId=r&level=debug', 'level must be one of info, warn, error, not "debug"'],
    ['/logs', 'runId=r&limit=0', 'limit must be a whole number from 1 to 1000, not 0'],
    ['/logs', 'runId=r&after=-1', 'after must be a whole number from 0 to 9007199254740991, not "-1"'],
  ])('refuses GET %s?%s', async (path, query, message) => {
    const durably = fakeDurably();
    const { status, body } = await readProblem(await open(durably)(requestTo(`${path}?${query}`)));
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: message, detail: message, code: 'VALIDATION' });
    expect(body.issues ?? [{}]).toHaveLength(1);
    expect(durably.calls).toEqual([]);
  });

  it('passes filters on, with repeated ones as lists', async () => {
    const durably = fakeDurably();
    const send = open(durably);
    await send(requestTo('/runs?jobName=a+b&jobName=c%26d&status=failed&limit=1000&offset=100000'));
    await send(requestTo('/runs'));
    await send(requestTo('/logs?runId=run_1&level=warn&after=0&limit=1'));
    expect(durably.calls.map(({ args }) => args[0])).toEqual([
      { jobName: ['a b', 'c&d'], status: ['failed'], limit: 1000, offset: 100_000 },
      { limit: 100, offset: 0 },
      { runId: 'run_1', level: 'warn', after: 0, limit: 1 },
    ]);
  });

  it('passes labels on by their keys, and `leased` as running', async () => {
    const durably = fakeDurably();
    const send = open(durably);
    await send(requestTo('/runs?label.org=1&label.a.b/c=x%26y&status=leased&status=failed'));
    await (await send(requestTo('/runs/subscribe?label.org=&label.7=+&lastEventId=5'))).body?.cancel();
    await send(postJson('/trigger', { jobName: 'greet', labels: { org: '1' } }));
    await send(postJson('/trigger', { jobName: 'greet', labels: null }));
    expect(durably.calls.map(({ args }) => args[0])).toEqual([
      { status: ['running', 'failed'], labels: { org: '1', 'a.b/c': 'x&y' }, limit: 100, offset: 0 },
      { after: 5, jobNames: undefined, labels: { org: '', 7: ' ' } },
      { jobName: 'greet', input: {}, labels: { org: '1' } },
      { jobName: 'greet', input: {}, labels: undefined },
    ]);
  });

  it('reads the last event id from the header first, then from the query', async () => {
    const durably = fakeDurably();
    const send = open(durably);
    const header = { headers: { 'last-event-id': '9' } };
    await send(requestTo('/subscribe?runId=run_1&lastEventId=4', header));
    await send(requestTo('/subscribe?runId=run_1&lastEventId=4'));
    await send(requestTo('/subscribe?runId=run_1&lastEventId='));
    await send(requestTo('/subscribe?runId=run_1', { headers: { 'last-event-id': '' } }));
    expect(durably.calls.map(({ args }) => args[1])).toEqual([
      { after: 9 },
      { after: 4 },
      { after: undefined },
      { after: undefined },
    ]);
    const bad = await send(requestTo('/subscribe?runId=r', { headers: { 'last-event-id': 'abc' } }));
    expect(bad.status).toBe(400);
  });
});
