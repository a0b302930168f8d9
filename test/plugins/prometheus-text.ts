import { expect } from 'vitest';

/** What the text says of a metric. */
interface Family {
  readonly type: string;
  readonly samples: Map<string, number>;
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\\\\n]|\\\\["\\\\n])*)"';
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(${LABEL}(?:,${LABEL})*)?\\})? (\\S+)$`);
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: [''],
  gauge: [''],
  summary: ['', '_sum', '_count'],
  histogram: ['_bucket', '_sum', '_count'],
};

/**
 * The metrics of a text (https://prometheus.io/docs/instrumenting/exposition_formats/), each sample by its name and labels, such as
 * `durably_runs_total job=greet status=completed`. Fails for a text that breaks a rule of the format.
 */
export function parseMetrics(text: string): Map<string, Family> {
  expect(text.endsWith('\n')).toBe(true);
  const families = new Map<string, Family>();
  let current: { readonly name: string; readonly family: Family } | undefined;
  let helped = '';
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      helped = name;
    } else if (keyword === 'TYPE') {
      expect([name, families.has(name)], line).toEqual([helped, false]);
      current = { name, family: { type: rest, samples: new Map() } };
      families.set(name, current.family);
    } else {
      addSample(line, current);
    }
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family);
  return families;
}

function addSample(
  line: string,
  current: { readonly name: string; readonly family: Family } | undefined,
): void {
  const [, name = '', labels = ''] = SAMPLE.exec(line) ?? [];
  if (current === undefined) return expect.fail(`a sample without a type: ${line}`);
  const names = (SUFFIXES[current.family.type] ?? []).map((suffix) => current.name + suffix);
  expect(names, line).toContain(name);
  const pairs = [...labels.matchAll(new RegExp(LABEL, 'g'))].map(([, key, value]) => `${key}=${value}`);
  const value = line.slice(line.lastIndexOf(' ') + 1);
  expect(value, line).toMatch(/^(?:-?[\d.]+(?:e[+-]?\d+)?|[+-]Inf|NaN)$/i);
  const number = value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value);
  const id = [name, ...pairs].join(' ');
  expect(current.family.samples.has(id), line).toBe(false);
  current.family.samples.set(id, number);
}

/** Buckets rise, and the last one has everything. */
function checkHistogram(name: string, { samples }: Family): void {
  const series = new Map<string, number[]>();
  for (const [id, value] of samples) {
    if (!id.startsWith(`${name}_bucket `)) continue;
    const others = id.replace(/ le=\S+/, '').replace(`${name}_bucket`, '');
    series.set(others, [...(series.get(others) ?? []), value]);
  }
  for (const [others, counts] of series) {
    expect(counts, name).toEqual(counts.toSorted((a, b) => a - b));
    expect(counts.at(-1), name).toBe(samples.get(`${name}_count${others}`));
    expect(samples.has(`${name}_sum${others}`), name).toBe(true);
  }
}
