import { expect, it } from 'vitest';
import { z } from 'zod';
import { curlLine } from '../../src/dashboard/jobs/curl-line.ts';
import { NO_OPTIONS, optionKey, optionsOf } from '../../src/dashboard/jobs/entered-options.ts';
import { inputOf, keyOf } from '../../src/dashboard/jobs/form-values.ts';
import { fieldsOf } from '../../src/dashboard/jobs/schema-fields.ts';

const fieldsFor = (schema: z.ZodType) =>
  fieldsOf(z.toJSONSchema(schema, { io: 'input' })) ?? expect.fail('no fields');

it('the fields of a schema have the kind, the default and the description of its members', () => {
  const fields = fieldsFor(
    z.object({
      name: z.string().describe('Of the customer'),
      count: z.int().min(1).default(3),
      mode: z.enum(['a', 'b']).nullable(),
      tags: z.array(z.string()).optional(),
      isOn: z.boolean().optional(),
      where: z.object({ city: z.string() }).optional(),
      any: z.unknown(),
      both: z.union([z.string(), z.number()]).optional(),
    }),
  );
  expect(fields.map(({ name, what, isRequired }) => [name, what.kind, isRequired])).toEqual([
    ['name', 'text', true],
    ['count', 'number', false],
    ['mode', 'choice', true],
    ['tags', 'lines', false],
    ['isOn', 'boolean', false],
    ['where', 'group', false],
    ['any', 'json', expect.any(Boolean)],
    ['both', 'json', false],
  ]);
  expect(fields[0]?.description).toBe('Of the customer');
  expect(fields[1]?.default).toBe(3);
});

it('a schema that is no object has no fields', () => {
  expect(fieldsOf(z.toJSONSchema(z.array(z.string())))).toBeNull();
  expect(fieldsOf(null)).toBeNull();
});

it('follows references inside the schema', () => {
  const address = z.object({ city: z.string() }).meta({ id: 'Address' });
  const [home] = fieldsFor(z.object({ home: address, work: address }));
  expect(home?.what).toMatchObject({ kind: 'group', fields: [{ name: 'city' }] });
});

it('the input has what was entered, and each mistake stands at its field', () => {
  const schema = z.object({
    file: z.string(),
    batches: z.int().min(1).optional(),
    where: z.object({ zip: z.string().regex(/^\d+$/) }).optional(),
    extra: z.unknown().optional(),
  });
  const fields = fieldsFor(schema);
  expect(inputOf(fields, {})).toEqual({ input: {}, issues: { [keyOf(['file'])]: 'Is required' } });
  const entered = {
    [keyOf(['file'])]: 'a.csv',
    [keyOf(['batches'])]: '0',
    [keyOf(['where', 'zip'])]: 'x',
    [keyOf(['extra'])]: '{',
  };
  expect(inputOf(fields, entered).issues).toEqual({
    [keyOf(['batches'])]: 'Must be at least 1',
    [keyOf(['where', 'zip'])]: 'Must match ^\\d+$',
    [keyOf(['extra'])]: 'Must be JSON',
  });
  const right = {
    ...entered,
    [keyOf(['batches'])]: '2',
    [keyOf(['where', 'zip'])]: '89',
    [keyOf(['extra'])]: '[1]',
  };
  expect(inputOf(fields, right)).toEqual({
    input: { file: 'a.csv', batches: 2, where: { zip: '89' }, extra: [1] },
    issues: {},
  });
});

it('takes for a number what a reader does', () => {
  const fields = fieldsFor(z.object({ n: z.number() }));
  const issuesOf = (text: string) => Object.values(inputOf(fields, { [keyOf(['n'])]: text }).issues);
  for (const text of [' ', '0x10', '1,5', 'Infinity', 'null'])
    expect(issuesOf(text)).toEqual(['Must be a number']);
  for (const text of ['0', ' 1 ', '-1.5', '.5', '1e3']) expect(issuesOf(text)).toEqual([]);
});

it('a list that must be given may be empty, unless its schema wants more', () => {
  const fields = fieldsFor(
    z.object({
      any: z.array(z.string()),
      some: z.array(z.string()).min(1),
      more: z.array(z.string()).optional(),
    }),
  );
  expect(inputOf(fields, {})).toEqual({
    input: { any: [], some: [] },
    issues: { [keyOf(['some'])]: 'Is required' },
  });
});

it('what may be null is null if the reader says so, and a text otherwise', () => {
  const group = z.object({ city: z.string() });
  const fields = fieldsFor(
    z.object({ n: z.number().nullable(), text: z.string().nullable(), group: group.nullable() }),
  );
  const nulls = { [keyOf(['n'])]: null, [keyOf(['text'])]: null, [keyOf(['group'])]: null };
  expect(inputOf(fields, nulls)).toEqual({ input: { n: null, text: null, group: null }, issues: {} });
  const text = { ...nulls, [keyOf(['text'])]: 'null' };
  expect(inputOf(fields, text).input).toMatchObject({ text: 'null' });
});

it('options are what was entered, and what can’t be sent as it was entered is refused', () => {
  const entered = { ...NO_OPTIONS, delay: '5m', priority: '-7', labels: 'org=7, at=a=b, none=,' };
  expect(optionsOf(entered)).toEqual({
    options: { delay: '5m', priority: -7, labels: { org: '7', at: 'a=b', none: '' } },
    issues: {},
  });
  const issuesOf = (given: Partial<typeof NO_OPTIONS>) => optionsOf({ ...NO_OPTIONS, ...given }).issues;
  for (const priority of ['high', ' ', '1.5', '0x1'])
    expect(issuesOf({ priority })).toEqual({ [optionKey('priority')]: 'Must be a whole number' });
  for (const labels of ['org', '=7', 'org=1,2', 'org=1,org=2'])
    expect(Object.keys(issuesOf({ labels }))).toEqual([optionKey('labels')]);
});

it('the curl line is quoted for a shell, and names no key', () => {
  const body = { jobName: 'a', input: { text: "it's $HOME" } };
  expect(curlLine({ url: 'http://x/api', hasKey: true, body })).toBe(
    `curl -X POST 'http://x/api/trigger' -H "Authorization: Bearer $DURABLY_API_KEY" -d '{"jobName":"a","input":{"text":"it'\\''s $HOME"}}'`,
  );
});

it('an optional group with a required checkbox is left out until a field in it is touched', () => {
  const fields = fieldsFor(z.object({ mail: z.object({ isHtml: z.boolean() }).optional() }));
  expect(inputOf(fields, {})).toEqual({ input: {}, issues: {} });
  const isHtml = keyOf(['mail', 'isHtml']);
  expect(inputOf(fields, { [isHtml]: false })).toEqual({ input: { mail: { isHtml: false } }, issues: {} });
});
