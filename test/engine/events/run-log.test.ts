import { afterEach, describe, expect, test, vi } from 'vitest';
import type { LogEntry, Logger } from '../../../src/core/logger.ts';
import { EventBus } from '../../../src/engine/events/event-bus.ts';
import { RunLog } from '../../../src/engine/events/run-log.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';

const RUN = { runId: 'run_1', jobName: 'pay', attempt: 2 };

afterEach(() => void vi.restoreAllMocks());

function recorded() {
  const lines: string[] = [];
  const write = (level: string) => (line: string) => void lines.push(`${level} ${line}`);
  return { lines, logger: { info: write('info'), warn: write('warn'), error: write('error') } };
}

function consoleLines(): string[] {
  const lines: string[] = [];
  for (const level of ['info', 'warn', 'error'] as const) {
    vi.spyOn(console, level).mockImplementation((line) => void lines.push(`${level} ${line}`));
  }
  return lines;
}

function tellAll(log: RunLog, { isHeard = false } = {}): void {
  log.failed(RUN, { error: 'card "x" expired', failedStepName: 'charge', isHeard });
  log.failed(RUN, { error: 'gone', failedStepName: 'unknown', isHeard });
  log.resumed(RUN);
  log.takenOver(RUN);
  log.handedBack(RUN);
}

describe("an instance's log", () => {
  test('gives a logger that takes them the parts of each line, without secrets', () => {
    const entries: LogEntry[] = [];
    const { lines, logger } = recorded();
    const log = new RunLog({ ...logger, entry: (entry) => void entries.push(entry) });
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const pluginData = JSON.stringify({
      other: 1,
      tracing: { traceparent: `00-${traceId}-b7ad6b7169203331-01` },
    });
    const error = 'Bearer abc was refused';
    log.failed({ ...RUN, pluginData }, { error, failedStepName: 'charge', isHeard: false });
    log.handedBack(RUN);
    log.workerError({ type: 'worker:error', timestamp: '', sequence: 1, error, context: 'claim' });
    log.listenerFailed('a run:fail listener', new Error(error));
    expect(lines).toEqual([]);
    expect(entries).toEqual([
      {
        ...{ level: 'error', message: 'run failed' },
        fields: { ...RUN, traceId, stepName: 'charge', error: 'Bearer … was refused' },
      },
      { level: 'info', message: 'run handed back', fields: RUN },
      {
        ...{ level: 'error', message: 'worker failed' },
        fields: { context: 'claim', error: 'Bearer … was refused' },
      },
      {
        ...{ level: 'error', message: 'a run:fail listener failed' },
        fields: {
          error: 'Bearer … was refused',
          err: { name: 'Error', message: 'Bearer … was refused', stack: expect.any(String) },
        },
      },
    ]);
    expect(JSON.stringify(entries)).not.toContain('abc');
  });

  test("writes a line for each event to a user's logger", () => {
    const { lines, logger } = recorded();
    tellAll(new RunLog(logger), { isHeard: true });
    expect(lines).toEqual([
      'error durably: run failed runId=run_1 jobName="pay" attempt=2 stepName="charge" error="card \\"x\\" expired"',
      'error durably: run failed runId=run_1 jobName="pay" attempt=2 error="gone"',
      'info durably: run resumed runId=run_1 jobName="pay" attempt=2',
      'warn durably: run taken over from a lost worker runId=run_1 jobName="pay" attempt=2',
      'info durably: run handed back runId=run_1 jobName="pay" attempt=2',
    ]);
  });

  test('writes to the console only what needs attention and has no listener', () => {
    const lines = consoleLines();
    tellAll(new RunLog());
    expect(lines.map((line) => line.split(' runId=')[0])).toEqual([
      'error durably: run failed',
      'error durably: run failed',
      'warn durably: run taken over from a lost worker',
    ]);
    lines.length = 0;
    tellAll(new RunLog(), { isHeard: true });
    expect(lines.map((line) => line.split(' runId=')[0])).toEqual([
      'warn durably: run taken over from a lost worker',
    ]);
  });

  test('writes one printable line, whatever an error or a name contains', () => {
    const { lines, logger } = recorded();
    const forged =
      'x\r\ndurably: run failed\u2028\u2029\u0085\u0000\u001b[2J\u007f\u009b\u202e\u200b\ufeff\ud800"';
    const log = new RunLog(logger);
    log.failed({ ...RUN, jobName: forged }, { error: forged, failedStepName: forged, isHeard: false });
    log.workerError({ type: 'worker:error', timestamp: '', sequence: 1, error: forged, context: 'claim' });
    for (const line of lines) {
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      expect(line).toContain('x\\');
    }
  });

  test('omits credentials in errors of requests', () => {
    const { lines, logger } = recorded();
    const error =
      'GET https://me:hidden@example.com/a failed with Authorization: Bearer hidden.to-ken, basic hidden==';
    new RunLog(logger).failed(RUN, { error, failedStepName: 'unknown', isHeard: false });
    expect(lines[0]).toContain('GET https://…@example.com/a failed with Authorization: Bearer …, basic …');
    expect(lines[0]).not.toContain('hidden');
  });

  test('omits credentials at the place where a long text is cut', () => {
    for (let length = 980; length < 1030; length++) {
      const { lines, logger } = recorded();
      const log = new RunLog(logger);
      const error = `${'x'.repeat(length)} https://me:hunter2@example.com/`;
      log.failed(RUN, {
        error,
        failedStepName: `${'x'.repeat(length - 768)} https://me:hunter2@h`,
        isHeard: false,
      });
      log.workerError({ type: 'worker:error', timestamp: '', sequence: 1, error, context: 'claim' });
      log.listenerFailed('a listener', new Error(error));
      expect(lines.join('\n')).not.toMatch(/me:|hunter/);
    }
  });

  test.for<[string, string]>([
    ['https://me:p@ss@example.com/a', 'https://…@example.com/a'],
    ['https://me:p%40ss@example.com/a', 'https://…@example.com/a'],
    ['https://me:pa/ss@example.com/a', 'https://…@example.com/a'],
    ['https://example.com:80/@scope/pkg', 'https://example.com:80/@scope/pkg'],
    ['https://example.com/@scope/pkg', 'https://example.com/@scope/pkg'],
    ['/a?token=p&b=1&access_token=p', '/a?token=…&b=1&access_token=…'],
    ['/a?apiKey=p&api_key=p#x', '/a?apiKey=…&api_key=…#x'],
    ['/a?X-Amz-Signature=p&sig=p', '/a?X-Amz-Signature=…&sig=…'],
    ['max_tokens=5 page=2', 'max_tokens=5 page=2'],
  ])('shows %s as %s', ([error, text]) => {
    const { lines, logger } = recorded();
    new RunLog(logger).failed(RUN, { error, failedStepName: 'unknown', isHeard: false });
    expect(lines[0]?.split('error=')[1]).toBe(JSON.stringify(text));
  });

  test('handles a text full of partial secrets in a short time', () => {
    const { logger } = recorded();
    for (const part of ['//', '//a:b', 'token', '?a=', '//a:b/@', 'Basic ']) {
      const before = performance.now();
      new RunLog(logger).listenerFailed('a listener', part.repeat(100_000));
      expect(performance.now() - before, part).toBeLessThan(500);
    }
  });

  test('shortens long errors and names', () => {
    const { lines, logger } = recorded();
    const long = 'ä'.repeat(10_000);
    new RunLog(logger).failed(
      { ...RUN, jobName: long },
      { error: long, failedStepName: long, isHeard: false },
    );
    expect(Buffer.byteLength(lines[0] ?? '')).toBeLessThan(2000);
  });

  test('survives a logger that throws or rejects', async () => {
    const complaints = consoleLines();
    const fail = () => {
      throw new Error('disk full');
    };
    const reject = () => Promise.reject(new Error('disk full'));
    tellAll(new RunLog({ info: fail, warn: fail, error: reject }));
    await idle();
    expect(complaints).toHaveLength(5);
    expect(complaints[0]).toBe('error durably: the logger failed:');
  });

  test.for([null, {}, { info: 1 }, { info() {}, warn() {} }, 'console'])(
    '%j is refused as a logger',
    (logger) => {
      expect(() => new RunLog(logger as unknown as Logger)).toThrow('logger must have a function');
    },
  );
});

describe('an error of the worker', () => {
  const failure = {
    error: new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') }),
    runId: 'run_1',
  };

  test('goes to the console if it has no listener', () => {
    const lines = consoleLines();
    const bus = new EventBus(new FakeClock());
    bus.reportWorkerError({ ...failure, context: 'claim' });
    const heard: string[] = [];
    const unsubscribe = bus.on('worker:error', ({ error }) => heard.push(error));
    bus.reportWorkerError({ ...failure, context: 'claim' });
    unsubscribe();
    bus.reportWorkerError({ error: 'lease lost', context: 'lease' });
    expect(heard).toEqual(['fetch failed: ECONNREFUSED']);
    expect(lines).toEqual([
      'error durably: worker failed at claim (run_1): fetch failed: ECONNREFUSED',
      'error durably: worker failed at lease: lease lost',
    ]);
  });

  test("goes to a user's logger, together with what listeners throw", () => {
    const printed = consoleLines();
    const { lines, logger } = recorded();
    const bus = new EventBus(new FakeClock(), new RunLog(logger));
    bus.reportWorkerError({ ...failure, context: 'purge' });
    bus.on('run:delete', () => {
      throw new Error('in\na listener');
    });
    bus.publish([{ run: { runId: 'run_1', jobName: 'pay' }, note: { type: 'run:delete' } }]);
    expect(lines).toEqual([
      'error durably: worker failed at purge (run_1): fetch failed: ECONNREFUSED',
      'error durably: a run:delete listener failed: in\\u000aa listener',
    ]);
    expect(printed).toEqual([]);
  });
});
