import { dropPromises } from '../../core/errors/dropped.ts';
import type { LogLevel } from '../../core/log-line.ts';
import { callOutsideRuns, currentStep } from '../../core/run-context.ts';
import type { StepContext } from '../../core/step.ts';
import type { OwnerJournal } from './journal/owner-journal.ts';
import { emitNote, type LogLimits, logNote, messageText } from './log-note.ts';
import type { StepPort } from './steps/step-port.ts';

interface TelemetryDeps {
  readonly journal: OwnerJournal;
  /** Names the step of a line that one of its steps writes. */
  readonly port: StepPort;
  readonly limits: LogLimits;
}

/** `step.progress`, `step.emit` and `step.log`: they never throw and never wait. */
export function createTelemetry({
  journal,
  port,
  limits,
}: TelemetryDeps): Pick<StepContext, 'progress' | 'emit' | 'log'> {
  const currentStepName = () => {
    const step = currentStep();
    return step?.owner === port ? step.name : null;
  };
  const write = (level: LogLevel, message: string, data?: unknown) => {
    if (journal.leavesOut('log:write')) return dropPromises([message, data]);
    const stepName = currentStepName();
    callOutsideRuns(() => journal.note(logNote({ stepName, level, message, data }, limits)));
  };
  const writer = (level: LogLevel) => (message: string, data?: unknown) => write(level, message, data);
  return {
    progress(current: number, total?: number | null, message?: string | null) {
      if (![current, total ?? 0].every(Number.isFinite)) {
        dropPromises([current, total, message]);
        write('warn', 'progress left out: current and total must be finite numbers');
        return;
      }
      const progress = {
        current,
        total: total ?? undefined,
        message: message == null ? undefined : messageText(message),
      };
      callOutsideRuns(() => journal.note({ type: 'run:progress', data: JSON.stringify(progress) }));
    },
    emit(name: string, data?: unknown) {
      if (journal.leavesOut('run:emit')) return dropPromises([name, data]);
      const stepName = currentStepName();
      callOutsideRuns(() => journal.note(emitNote({ stepName, name, data }, limits)));
    },
    log: { info: writer('info'), warn: writer('warn'), error: writer('error') },
  };
}
