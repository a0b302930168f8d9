import pino from 'pino';
import { onOneLine } from '../../core/errors/log-text.ts';
import { LEAST_LEVELS, type LeastLevel } from '../../core/logger.ts';
import { createServiceLog, type ServiceLog } from '../log/service-log.ts';
import { pretty } from './pretty.ts';

/** Where lines go: a stream of the process, or what stands in for it. */
export interface LogOutput {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

interface LogOptions {
  readonly level: LeastLevel;
  readonly stdout: LogOutput;
  readonly stderr: LogOutput;
}

/** Writes JSON lines, and readable ones to a terminal. `info` goes to stdout, the rest to stderr. */
export function createNodeLog({ level, stdout, stderr }: LogOptions): ServiceLog {
  const streams = [
    { level: 'info', stream: lineStream(stdout) },
    { level: 'warn', stream: lineStream(stderr) },
  ] as const;
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // The entries bring their errors as plain fields. Pino's own serializer would change them.
      serializers: { err: (fields) => fields },
    },
    // An entry goes to the last stream that takes its level.
    pino.multistream([...streams], { dedupe: true }),
  );
  return createServiceLog((entry) => logger[entry.level](entry.fields, entry.message));
}

function lineStream(output: LogOutput) {
  return {
    write(line: string): void {
      const text = line.trimEnd();
      output.write(`${output.isTTY ? pretty(text) : onOneLine(text)}\n`);
    },
  };
}

/** The log of this process, at the `LOG_LEVEL` of its environment. The settings are checked later, and name a bad one. */
export const log: ServiceLog = createNodeLog({
  level: levelOf(process.env.LOG_LEVEL),
  stdout: process.stdout,
  stderr: process.stderr,
});

function levelOf(given: string | undefined): LeastLevel {
  return LEAST_LEVELS.find((level) => level === given) ?? 'info';
}

/** The service must survive a closed terminal, or a log reader that has exited. */
export function surviveClosedOutputs(): void {
  for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);
}
