import { describe, expect, it, test } from 'vitest';
import { createApiKeys } from '../../../src/app/api-keys.ts';
import { createDurablyApp } from '../../../src/app/create-app.ts';
import { UnknownJobError } from '../../../src/core/errors/errors.ts';
import { operations } from '../../../src/http/operations/index.ts';
import { MAX_QUERY_PARAMETERS } from '../../../src/http/query.ts';
import { BASE, bodyOf, doors, pathOf, postJson, readProblem, requestTo } from '../doors.ts';
import { fakeDurably } from '../fake-durably.ts';

describe.each(doors)('an unknown name, through $door', ({ open }) => {
  const refused = async (request: Request, options = {}) => {
    const durably = fakeDurably();
    const { status, body } = await readProblem(await open(durably, options)(request));
    expect(status).toBe(400);
    expect(body.code).toBe('VALIDATION');
    expect(durably.calls).toEqual([]);
    return body as { error: string; issues: { path: string[] }[] };
  };

  it.each(operations)('is refused in the query of $method $path', async (operation) => {
    const path = pathOf(operation, 'run_1');
    const query = `${path}${path.includes('?') ? '&' : '?'}foo=1`;
    const body = operation.input.from === 'query' ? null : JSON.stringify(bodyOf(operation));
    const { error, issues } = await refused(requestTo(query, { method: operation.method, body }));
    expect(error).toContain('Unknown query parameter "foo"');
    expect(issues).toMatchObject([{ path: ['foo'] }]);
  });

  it.each([
    ['label[org]=1', 'label[org]', 'label.org'],
    ['label%5Borg%5D=1', 'label[org]', 'label.org'],
    ['labels.org=1', 'labels.org', 'label.org'],
    ['label:org=1', 'label:org', 'label.org'],
    ['label=org', 'label', 'label.<key>'],
    ['jobname=a', 'jobname', 'jobName'],
    ['states=failed', 'states', 'status'],
    ['ofset=1', 'ofset', 'offset'],
  ])('names the nearest parameter: %s', async (query, name, nearest) => {
    const { error } = await refused(requestTo(`/runs?${query}`));
    expect(error).toBe(`Unknown query parameter "${name}"; did you mean "${nearest}"?`);
  });

  it('is answered with all known names if none is near', async () => {
    const { error } = await refused(requestTo('/logs?runId=r&__proto__=1'));
    expect(error).toBe('Unknown query parameter "__proto__"; known: runId, level, limit, after');
  });

  it.each([
    ['/runs?limit=1&limit=2', 'limit must be given once, not 2 times'],
    ['/runs?offset=1&offset=2', 'offset must be given once, not 2 times'],
    ['/logs?runId=r&level=info&level=warn', 'level must be given once, not 2 times'],
    ['/runs/subscribe?lastEventId=1&lastEventId=2', 'lastEventId must be given once, not 2 times'],
    ['/runs?status=complete', /^status must be one of .*; did you mean "completed"\?$/],
    ['/runs?fields=Id', /^fields must be one of .*, not "Id"; did you mean "id"\?$/],
    ['/logs?runId=r&level=warning', /did you mean "warn"\?$/],
    ['/runs?status=bogus', /^status must be one of [a-z, ]*, not "bogus"$/],
  ])('does not hide what is wrong with a value: %s', async (path, message) => {
    expect((await refused(requestTo(path))).error).toMatch(message);
  });

  it('is listed together with other mistakes', async () => {
    const { error } = await refused(requestTo('/run?runID=run_1'));
    expect(error).toBe(
      'runId query parameter is required; Unknown query parameter "runID"; did you mean "runId"?',
    );
  });

  it.each([
    [{ jobName: 'greet', label: {} }, 'label', /did you mean "labels"/],
    [{ jobName: 'greet', weight: 5 }, 'weight', /known: jobName, input, idempotencyKey/],
    [{ jobName: 'greet', keyScope: 'a' }, 'keyScope', /known: /],
    [{ jobname: 'greet' }, 'jobname', /^jobName is required; .*did you mean "jobName"/],
  ])('is refused in the body of a trigger: %j', async (body, name, message) => {
    const { error, issues } = await refused(postJson('/trigger', body));
    expect(error).toContain(`Unknown member of the body "${name}"`);
    expect(error).toMatch(message);
    expect(issues.at(-1)?.path).toEqual([name]);
  });

  it("is accepted if the app's own hooks read it", async () => {
    const options = { queryParams: ['token'] };
    expect((await open(fakeDurably(), options)(requestTo('/runs?token=t'))).status).toBe(200);
    expect((await refused(requestTo('/runs?token=t&token=u'), options)).error).toBe(
      'token must be given once, not 2 times',
    );
  });

  it.each([
    ['ampersands', '&'.repeat(15_500)],
    ['one name', 'jobName=a&'.repeat(1_500)],
    ['many names', Array.from({ length: 2_000 }, (_, i) => `k${i}=`).join('&')],
    ['labels', Array.from({ length: 1_000 }, (_, i) => `label.k${i}=1`).join('&')],
  ])('is not searched for among too many parameters: %s', async (_, query) => {
    const { error } = await refused(requestTo(`/runs?${query}`));
    expect(error).toBe(`The query must have at most ${MAX_QUERY_PARAMETERS} parameters`);
  });

  it('is not repeated at full length', async () => {
    for (const query of [`${'x'.repeat(15_000)}=1`, `${'%ff'.repeat(5_000)}=1`, '='.repeat(15_000)]) {
      expect(JSON.stringify(await refused(requestTo(`/runs?${query}`))).length).toBeLessThan(1_000);
    }
  });

  it('is answered with a near job, unless hooks may hide that job', async () => {
    const durably = fakeDurably({
      triggerForId: async () => {
        throw new UnknownJobError('gret', 'greet');
      },
    });
    const request = () => postJson('/trigger', { jobName: 'gret' });
    const told = await readProblem(await open(durably)(request()));
    expect([told.status, told.body.error]).toEqual([404, 'Job not found: gret; did you mean "greet"?']);
    const auth = { authenticate: () => 'ada' };
    expect((await readProblem(await open(durably, { auth })(request()))).body.error).toBe(
      'Job not found: gret',
    );
  });
});

test('a ticket is a known parameter only of streams, and only if there are keys', async () => {
  const apiKeys = await createApiKeys([{ name: 'dashboard', key: 'k'.repeat(16) }]);
  const bearer = { headers: { authorization: `Bearer ${'k'.repeat(16)}` } };
  const keyed = createDurablyApp(fakeDurably(), { apiKeys });
  const stream = await keyed.request(`${BASE}/runs/subscribe?ticket=x`, bearer);
  expect(stream.status).toBe(200);
  await stream.body?.cancel();
  expect((await keyed.request(`${BASE}/runs/subscribe?ticket=x&ticket=y`, bearer)).status).toBe(400);
  expect((await keyed.request(`${BASE}/runs?ticket=x`, bearer)).status).toBe(400);
  expect((await createDurablyApp(fakeDurably()).request(`${BASE}/runs/subscribe?ticket=x`)).status).toBe(400);
});
