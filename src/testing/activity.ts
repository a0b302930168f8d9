/** One execution of a run, as far as its code is watched. */
interface Execution {
  /** Whether the job's function was called and is not over. */
  isInJob: boolean;
  /** Calls of `step.…` that the job waits for. */
  calls: number;
  /** Functions of steps that are being executed, except those that hang. */
  functions: number;
}

/**
 * What user code is doing in one process. While it does something, no time may pass by itself: the time that it takes is real,
 * and nobody knows how much that is.
 */
export class Activity {
  readonly #executions = new Map<string, Execution>();
  #pluginCalls = 0;
  #pluginAnswers = 0;

  /** Whether a plugin works on a trigger or a payload. It may be one that never ends. */
  get isInPlugin(): boolean {
    return this.#pluginCalls > 0;
  }

  /** How often a plugin has answered. */
  get pluginAnswers(): number {
    return this.#pluginAnswers;
  }

  /** Whether code of a job is executed now. Code that waits for a step of its own is not. */
  get isBusy(): boolean {
    for (const { isInJob, calls, functions } of this.#executions.values()) {
      if (functions > 0 || (isInJob && calls === 0)) return true;
    }
    return false;
  }

  /** A run is executed until the promise is settled. */
  async execution(runId: string, execute: () => Promise<unknown>): Promise<void> {
    this.#executions.set(runId, { isInJob: false, calls: 0, functions: 0 });
    try {
      await execute();
    } finally {
      this.#executions.delete(runId);
    }
  }

  async job<T>(runId: string, code: () => T | Promise<T>): Promise<T> {
    const execution = this.#executions.get(runId);
    if (execution === undefined) return await code();
    execution.isInJob = true;
    try {
      return await code();
    } finally {
      execution.isInJob = false;
    }
  }

  /** A call of `step.…`. */
  call<T>(runId: string, call: () => Promise<T>): Promise<T> {
    const execution = this.#executions.get(runId);
    if (execution === undefined) return call();
    execution.calls++;
    const end = () => {
      execution.calls--;
    };
    const result = call();
    result.then(end, end);
    return result;
  }

  /** The function of a step. */
  async step<T>(runId: string, code: () => T | Promise<T>): Promise<T> {
    const execution = this.#executions.get(runId);
    if (execution !== undefined) execution.functions++;
    try {
      return await code();
    } finally {
      if (execution !== undefined) execution.functions--;
    }
  }

  /** A plugin that takes its time. */
  async plugin<T>(call: () => T | Promise<T>): Promise<T> {
    this.#pluginCalls++;
    try {
      return await call();
    } finally {
      this.#pluginCalls--;
      this.#pluginAnswers++;
    }
  }
}
