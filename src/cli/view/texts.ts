import stringWidth from 'string-width';
import { onOneLine } from '../../core/errors/log-text.ts';
import type { RunStatus } from '../../core/run.ts';
import type { Session } from '../session.ts';

type Colors = Session['colors'];

/** How a status is shown: as a sign, a word and a colour. */
export function statusText(status: RunStatus, colors: Colors): string {
  const { sign, color } = LOOKS[status];
  return colors[color](`${sign} ${status}`);
}

/** The sign of a status. */
export function signOf(status: RunStatus, colors: Colors): string {
  const { sign, color } = LOOKS[status];
  return colors[color](sign);
}

const LOOKS = {
  pending: { sign: '○', color: 'dim' },
  waiting: { sign: '◷', color: 'blue' },
  running: { sign: '●', color: 'cyan' },
  completed: { sign: '✓', color: 'green' },
  failed: { sign: '✗', color: 'red' },
  cancelled: { sign: '⊘', color: 'yellow' },
} as const satisfies Readonly<Record<RunStatus, { sign: string; color: keyof Colors }>>;

const isStatus = (name: string): name is RunStatus => name in LOOKS;

/** All statuses. The list of the core would load the schemas of the service, which takes longer than most commands. */
export const STATUSES: readonly RunStatus[] = Object.keys(LOOKS).filter(isStatus);

/** A length of time, as people say it: `130 ms`, `4.2 s`, `3 m 12 s`, `2 h 5 m`, `3 d 4 h`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const [m, h, d] = [Math.floor(ms / 60_000), Math.floor(ms / 3_600_000), Math.floor(ms / 86_400_000)];
  if (d > 0) return `${d} d ${h % 24} h`;
  return h > 0 ? `${h} h ${m % 60} m` : `${m} m ${Math.floor(ms / 1_000) % 60} s`;
}

/** A time without its `T`, and without ms. */
export function timeText(iso: string | null): string {
  return iso === null ? '' : iso.replace('T', ' ').replace(/\.\d+Z$/, 'Z');
}

/** JSON on one line, shortened. Names and texts of a run come from anybody, so that control characters are escaped. */
export function jsonText(value: unknown, maxLength = 200): string {
  const text = onOneLine(JSON.stringify(value) ?? 'null');
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
}

/** Columns side by side. Only the last one may be long. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => stringWidth(row[column] ?? ''))),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - stringWidth(cell))))
      .join('  ')
      .trimEnd(),
  );
}
