import type { Run, Step } from '../../client.ts';
import { onOneLine } from '../../core/errors/log-text.ts';
import type { Session } from '../session.ts';
import { durationText, jsonText, signOf, statusText, timeText } from './texts.ts';

type Colors = Session['colors'];

/** A run with its steps and the runs that they have started. */
export interface RunTree {
  readonly run: Run;
  readonly steps: readonly Step[];
  readonly children: readonly RunTree[];
  /** It has started more runs than these. */
  readonly hasMoreChildren: boolean;
}

/** A run as lines: itself, its steps and the runs below it as a tree. */
export function treeLines(tree: RunTree, colors: Colors): string[] {
  const { run } = tree;
  const facts: (readonly [string, string | null])[] = [
    ['created', timeText(run.createdAt)],
    ['started', timeText(run.startedAt)],
    ['ended', timeText(run.completedAt)],
    ['attempt', run.attempt > 1 ? String(run.attempt) : null],
    ['waits for', run.waits.length > 0 ? jsonText(run.waits) : null],
    ['labels', Object.keys(run.labels).length > 0 ? jsonText(run.labels) : null],
    ['input', jsonText(run.payload)],
    ['output', run.status === 'completed' ? jsonText(run.output) : null],
    ['error', run.error === null ? null : onOneLine(run.error)],
  ];
  return [
    `${headOf(run, colors)}`,
    ...facts.flatMap(([name, value]) => (value ? [`  ${colors.dim(name.padEnd(9))} ${value}`] : [])),
    ...branches(tree, { colors, indent: '' }),
  ];
}

function headOf(run: Run, colors: Colors): string {
  const took = tookText(run);
  return `${statusText(run.status, colors)}  ${colors.bold(onOneLine(run.jobName))}  ${run.id}${took && `  ${took}`}`;
}

function branches(
  { run, steps, children, hasMoreChildren }: RunTree,
  { colors, indent }: { readonly colors: Colors; readonly indent: string },
): string[] {
  const nodes = [
    ...steps.map((step) => ({ line: stepLine(step, colors), below: [] })),
    ...children.map((child) => ({ line: headOf(child.run, colors), below: [child] })),
    ...(hasMoreChildren ? [{ line: colors.dim(`… more: durably runs --parent ${run.id}`), below: [] }] : []),
  ];
  return nodes.flatMap(({ line, below }, index) => {
    const isLast = index === nodes.length - 1;
    const inner = { colors, indent: `${indent}${isLast ? '   ' : '│  '}` };
    return [`${indent}${isLast ? '└─' : '├─'} ${line}`, ...below.flatMap((child) => branches(child, inner))];
  });
}

function stepLine(step: Step, colors: Colors): string {
  const took = durationText(Date.parse(step.completedAt) - Date.parse(step.startedAt));
  const error = step.error === null ? '' : `  ${colors.red(onOneLine(step.error))}`;
  const kind = step.kind === 'run' ? '' : colors.dim(` (${step.kind})`);
  return `${signOf(step.status, colors)} ${onOneLine(step.name)}${kind}  ${colors.dim(took)}${error}`;
}

/** How long a run took. Empty if it has not ended. */
export function tookText({ startedAt, completedAt }: Pick<Run, 'startedAt' | 'completedAt'>): string {
  if (startedAt === null || completedAt === null) return '';
  return durationText(Date.parse(completedAt) - Date.parse(startedAt));
}
