import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { duplicateMembers } from '../../../src/http/inputs/duplicates.ts';
import { doors, readProblem, requestTo } from '../doors.ts';
import { fakeDurably } from '../fake-durably.ts';

const pathsOf = (text: string) => duplicateMembers(text).map(({ path }) => path.join('.'));

describe('a member that a body has twice', () => {
  it.each([
    ['{"jobName":"a","jobName":"b"}', ['jobName']],
    ['{"jobName":"a","job\\u004eame":"b"}', ['jobName']],
    ['{"labels":{"a":"1","b":"2","a":"3"}}', ['labels.a']],
    ['{"labels":{"a/b":"1","a\\/b":"2"}}', ['labels.a/b']],
    ['{ "input" : {} , "input" : [] }', ['input']],
    ['{"input":1,"jobName":"a","input":"x"}', ['input']],
    ['{"input":"}\\\\","jobName":"a","jobName":"b"}', ['jobName']],
    ['{"runs":[{"jobName":"a"},{"input":[{}],"jobName":"a","jobName":"b"}]}', ['runs.1.jobName']],
    ['{"debounce":{"key":"a","delay":1,"key":"b"},"a":1,"a":1}', ['debounce.key', 'a']],
  ])('is found in %s', (text, paths) => {
    expect(pathsOf(text)).toEqual(paths);
  });

  it.each([
    '{"input":{"a":1,"a":2},"payload":[{"a":1,"a":2}]}',
    '{"runs":[{"jobName":"a"},{"jobName":"a"}],"labels":{"jobName":"jobName"}}',
    '{"a":{"b":1},"b":{"a":1}}',
    '["a","a"]',
    '"a"',
    '5',
    '{}',
    '{"input":"a\\"jobName\\":","jobName":"a"}',
  ])('is not found in %s', (text) => {
    expect(pathsOf(text)).toEqual([]);
  });

  it('is found behind any data of the caller, and in no text that JavaScript writes', () => {
    fc.assert(
      fc.property(fc.json(), fc.string(), (data, label) => {
        const labels = { [label]: label };
        const head = `{"input": ${data}, "labels":${JSON.stringify(labels)}`;
        expect(pathsOf(`${head}}`)).toEqual([]);
        expect(pathsOf(`${head},"input":1}`)).toEqual(['input']);
        expect(pathsOf(JSON.stringify({ data: JSON.parse(data) }))).toEqual([]);
      }),
    );
  });

  it('is found at most twenty times', () => {
    expect(pathsOf(`{${'"a":1,'.repeat(100)}"b":1}`)).toHaveLength(20);
  });
});

describe.each(doors)('a body, through $door', ({ open }) => {
  it.each([
    ['/trigger', '{"jobName":"a","jobName":"greet"}', 'jobName'],
    ['/trigger', '{"jobName":"greet","labels":{"a":"1","a":"2"}}', 'labels.a'],
    ['/trigger/batch', '{"runs":[{"jobName":"a","jobName":"greet"}]}', 'runs.0.jobName'],
    ['/signal?runId=run_1', '{"name":"a","name":"b"}', 'name'],
  ])('of %s is refused with a member that is there twice: %s', async (path, text, member) => {
    const durably = fakeDurably();
    const request = requestTo(path, { method: 'POST', body: text });
    const { status, body } = await readProblem(await open(durably)(request));
    expect([status, body.error]).toEqual([400, `${member} is in the body twice`]);
    expect(durably.calls).toEqual([]);
  });

  it('keeps the last of two members in the data of the caller', async () => {
    const durably = fakeDurably();
    const text = '{"jobName":"greet","input":{"a":1,"a":2}}';
    const response = await open(durably)(requestTo('/trigger', { method: 'POST', body: text }));
    expect(response.status).toBe(200);
    expect(durably.calls).toMatchObject([{ method: 'triggerForId', args: [{ input: { a: 2 } }] }]);
  });
});
