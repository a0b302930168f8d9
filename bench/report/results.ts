import type { Failure, Sample } from '../bench.ts';
import { labels } from '../contenders/index.ts';
import { type Target, targets } from '../targets.ts';
import type { Metric, Workload } from '../workloads/workload.ts';
import { ratiosOf, roundsOf, type Summary, summarize } from './statistics.ts';

export interface Results {
  readonly samples: readonly Sample[];
  readonly failures: readonly Failure[];
  readonly workloads: readonly Workload[];
  readonly machine: readonly string[];
  /** The options of this run, and whether it was at reduced scale. */
  readonly run: readonly string[];
  readonly settings: readonly { readonly contender: string; readonly told: string }[];
}

/** Writes RESULTS.md: first the targets, then all figures. */
export function writeResults(results: Results): string {
  const { machine, run, settings, workloads } = results;
  return [
    '# Results',
    '',
    'Written by `npm run bench`. Read the ratios: each is the median of the ratios of neighbours, two figures of the same',
    'round; the spread is the least and the greatest of them. A figure alone says more about the machine.',
    '',
    ...[...machine, ...run].map((line) => `- ${line}`),
    '',
    '## Reached',
    '',
    ...table(
      ['what', 'contender', 'reached', 'target', '', 'spread', 'rounds'],
      targets
        .filter(({ workload }) => workloads.some(({ id }) => id === workload))
        .map((target) => targetRow(results, target)),
    ),
    '',
    '## Settings',
    '',
    'As each contender’s own connection tells them, in every round; another one fails the round.',
    '',
    ...table(
      ['contender', 'settings'],
      settings.map(({ contender, told }) => [labelOf(contender), told]),
    ),
    '',
    ...workloads.flatMap((workload) => workloadSection(results, workload)),
  ].join('\n');
}

function targetRow({ samples, failures }: Results, target: Target): string[] {
  const { workload, title, figure, over, atLeast, atMost } = target;
  const values = over
    ? ratiosOf(samples, { workload, figure, over })
    : [...roundsOf(samples, { workload, ...figure }).values()];
  const summary = summarize(values);
  const limit = atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`;
  if (summary === undefined) {
    const involved = [figure.contender, over?.contender];
    const failure = failures.find((f) => f.workload === workload && involved.includes(f.contender));
    return [title, labelOf(figure.contender), failure?.error ?? 'not measured', limit, 'no', '', '0'];
  }
  const isReached =
    atLeast === undefined ? summary.median <= (atMost ?? Number.NaN) : summary.median >= atLeast;
  return [
    title,
    labelOf(figure.contender),
    number(summary.median),
    limit,
    isReached ? 'yes' : '**no**',
    spread(summary),
    String(summary.rounds),
  ];
}

function workloadSection(results: Results, workload: Workload): string[] {
  const { id, title, method, metrics } = workload;
  const failures = results.failures.filter((failure) => failure.workload === id);
  return [
    `## ${title}`,
    '',
    `${method} (\`--only ${id}\`)`,
    '',
    ...table(
      ['', 'contender', 'median', 'unit', 'spread', '÷ first', 'rounds'],
      metrics.flatMap((metric) => metricRows(results, { workload: id, metric })),
    ),
    '',
    ...failures.flatMap(({ contender, error }) => [`${labelOf(contender)} could not: ${oneLine(error)}`, '']),
  ];
}

/** One row per contender. The other figures are divided by that of the first. */
function metricRows(
  { samples }: Results,
  { workload, metric }: { workload: string; metric: Metric },
): string[][] {
  const own = samples.filter((sample) => sample.workload === workload && sample.metric === metric.id);
  const contenders = Object.keys(labels).filter((name) => own.some(({ contender }) => contender === name));
  const [first] = contenders.includes('bare') ? ['bare'] : contenders;
  return contenders.flatMap((contender) => {
    const figure = { contender, metric: metric.id };
    const summary = summarize([...roundsOf(samples, { workload, ...figure }).values()]);
    const ratio = summarize(
      ratiosOf(samples, { workload, figure, over: { contender: first ?? contender, metric: metric.id } }),
    );
    if (summary === undefined) return [];
    return [
      [
        metric.title,
        labelOf(contender),
        number(summary.median),
        metric.unit,
        spread(summary),
        ratio === undefined ? '' : number(ratio.median),
        String(summary.rounds),
      ],
    ];
  });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => oneLine(cell)).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

const oneLine = (text: string) => text.replace(/\s+/g, ' ').replaceAll('|', '\\|');

const spread = ({ least, most }: Summary) => `${number(least)} – ${number(most)}`;

function number(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

const labelOf = (contender: string): string => labels[contender as keyof typeof labels] ?? contender;
