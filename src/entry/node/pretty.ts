import colors from 'picocolors';
import { onOneLine } from '../../core/errors/log-text.ts';

const COLORS = { info: colors.green, warn: colors.yellow, error: colors.red } as const;

interface Line {
  readonly level: keyof typeof COLORS;
  readonly time: string;
  readonly msg: string;
  readonly err?: { readonly stack?: string } | undefined;
}

/**
 * A line of the log for people: the time, the level, what happened, and the fields. An error's stack follows, indented, so that
 * a text with line breaks can't look like another entry.
 */
export function pretty(json: string): string {
  const { level, time, msg, err, ...fields } = JSON.parse(json) as Line & Record<string, unknown>;
  const parts = Object.entries(fields).map(([name, value]) => `${colors.dim(`${name}=`)}${shown(value)}`);
  const head = `${colors.dim(time.slice(11, 23))} ${COLORS[level](level.toUpperCase().padEnd(5))} ${onOneLine(msg)}`;
  const stack = err?.stack?.split('\n').map((line) => `    ${colors.dim(onOneLine(line))}`) ?? [];
  return [[head, ...parts].join(' '), ...stack].join('\n');
}

function shown(value: unknown): string {
  return onOneLine(JSON.stringify(value) ?? '');
}
