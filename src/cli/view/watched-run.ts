import type { JournalEvent, RunProgress, RunStatus } from '../../client.ts';
import { onOneLine } from '../../core/errors/log-text.ts';
import type { Session } from '../session.ts';
import { durationText, signOf, statusText } from './texts.ts';

type Colors = Session['colors'];

interface WatchedStep {
  readonly name: string;
  readonly state: 'running' | 'completed' | 'failed' | 'waiting';
  /** When it began, or how long it took, in ms. */
  readonly startedMs: number;
  readonly tookMs: number | undefined;
  readonly note: string;
}

const BAR_LENGTH = 24;
const MAX_STEPS = 20;

/** A run as its events tell it. */
export class WatchedRun {
  readonly #runId: string;
  readonly #steps = new Map<string, WatchedStep>();
  #jobName = '';
  #status: RunStatus = 'pending';
  #progress: RunProgress | undefined;
  #note = '';

  constructor(runId: string) {
    this.#runId = runId;
  }

  get status(): RunStatus {
    return this.#status;
  }

  take(event: JournalEvent): void {
    this.#jobName = event.jobName;
    const atMs = Date.parse(event.timestamp);
    switch (event.type) {
      case 'run:start':
      case 'run:resume':
        this.#become('running');
        break;
      case 'run:wait':
        this.#become('waiting', event.waits.map((wait) => wait.kind).join(', '));
        break;
      case 'run:retry':
        this.#become(event.nextAttemptAt === undefined ? 'pending' : 'waiting', event.error ?? '');
        break;
      case 'run:complete':
        this.#become('completed');
        break;
      case 'run:fail':
        this.#become('failed', event.error);
        break;
      case 'run:cancel':
        this.#become('cancelled');
        break;
      case 'run:progress': {
        const { current, total, message } = event.progress;
        this.#progress = {
          current,
          ...(total !== undefined && { total }),
          ...(message !== undefined && { message }),
        };
        break;
      }
      case 'step:start':
        this.#setStep({
          name: event.stepName,
          state: 'running',
          startedMs: atMs,
          tookMs: undefined,
          note: '',
        });
        break;
      case 'step:complete':
        this.#endStep(event.stepName, { state: 'completed', tookMs: event.duration, note: '', atMs });
        break;
      case 'step:fail':
        this.#endStep(event.stepName, { state: 'failed', tookMs: undefined, note: event.error, atMs });
        break;
      case 'step:retry':
        this.#endStep(event.stepName, { state: 'waiting', tookMs: undefined, note: event.error, atMs });
        break;
      default:
    }
  }

  #become(status: RunStatus, note = ''): void {
    this.#status = status;
    this.#note = note;
  }

  #setStep(step: WatchedStep): void {
    this.#steps.set(step.name, step);
  }

  #endStep(
    name: string,
    { atMs, ...end }: Pick<WatchedStep, 'state' | 'tookMs' | 'note'> & { readonly atMs: number },
  ): void {
    const startedMs = this.#steps.get(name)?.startedMs ?? atMs;
    this.#setStep({ name, startedMs, ...end, tookMs: end.tookMs ?? atMs - startedMs });
  }

  /** What a terminal shows now: the last steps, and how far the run is. */
  lines(colors: Colors): string[] {
    const steps = [...this.#steps.values()];
    const shown = steps.slice(-MAX_STEPS);
    const hidden = steps.length - shown.length;
    const note = this.#note === '' ? '' : `  ${onOneLine(this.#note)}`;
    return [
      `${statusText(this.#status, colors)}  ${colors.bold(onOneLine(this.#jobName))}  ${this.#runId}${note}`,
      ...(hidden > 0 ? [colors.dim(`│  … ${hidden} earlier steps`)] : []),
      ...shown.map((step, index) => `${index === shown.length - 1 ? '└─' : '├─'} ${stepLine(step, colors)}`),
      ...(this.#progress === undefined ? [] : [progressBar(this.#progress, colors)]),
    ];
  }
}

function stepLine({ name, state, tookMs, note }: WatchedStep, colors: Colors): string {
  const took = tookMs === undefined ? '' : `  ${colors.dim(durationText(tookMs))}`;
  return `${signOf(state, colors)} ${onOneLine(name)}${took}${note === '' ? '' : `  ${colors.red(onOneLine(note))}`}`;
}

/** How far a run is: a bar if its total is known. */
function progressBar({ current, total, message }: RunProgress, colors: Colors): string {
  const said = message === undefined ? '' : `  ${onOneLine(message)}`;
  if (total === undefined || total <= 0) return `   ${current}${said}`;
  const part = Math.min(1, Math.max(0, current / total));
  const filled = Math.round(part * BAR_LENGTH);
  const bar = `${colors.cyan('█'.repeat(filled))}${colors.dim('░'.repeat(BAR_LENGTH - filled))}`;
  return `   ${bar} ${Math.round(part * 100)} %${said}`;
}

/** An event as one line, for outputs where lines can't be replaced. */
export function eventLine(event: JournalEvent, colors: Colors): string {
  const time = colors.dim(event.timestamp.slice(11, 23));
  return `${time} ${event.type.padEnd(14)} ${detailOf(event, colors)}`.trimEnd();
}

function detailOf(event: JournalEvent, colors: Colors): string {
  switch (event.type) {
    case 'step:start':
      return onOneLine(event.stepName);
    case 'step:complete':
      return `${onOneLine(event.stepName)}  ${durationText(event.duration)}`;
    case 'step:fail':
    case 'step:retry':
      return `${onOneLine(event.stepName)}  ${colors.red(onOneLine(event.error))}`;
    case 'run:complete':
      return durationText(event.duration);
    case 'run:fail':
      return colors.red(onOneLine(event.error));
    case 'run:progress': {
      const { current, total, message = '' } = event.progress;
      return `${current}${total === undefined ? '' : ` of ${total}`} ${onOneLine(message)}`;
    }
    case 'log:write':
      return `${event.level} ${onOneLine(event.message)}`;
    case 'run:emit':
    case 'run:signal':
      return onOneLine(event.name);
    default:
      return '';
  }
}
