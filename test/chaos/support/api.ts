import { z } from 'zod';

const runSchema = z.object({
  id: z.string(),
  jobName: z.string(),
  status: z.enum(['pending', 'waiting', 'running', 'completed', 'failed', 'cancelled']),
  attempt: z.int(),
  stepCount: z.int(),
  payload: z.unknown(),
  output: z.unknown(),
  error: z.string().nullable(),
  createdAt: z.string(),
  startedAt: z.string().nullable(),
  completedAt: z.string().nullable(),
  updatedAt: z.string(),
});
export type RunView = z.infer<typeof runSchema>;

export interface TriggerBody {
  readonly jobName: string;
  readonly input?: unknown;
  readonly idempotencyKey?: string;
  readonly concurrencyKey?: string;
  readonly delay?: number | undefined;
  readonly timeout?: number | undefined;
}

export interface SignalBody {
  readonly name: string;
  readonly payload: unknown;
  readonly signalId: string;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

type Watch = (answer: { status: number; text: string; request: string }) => void;

/** The client of one process of the service. */
export class Api {
  readonly url: string;
  readonly #watch: Watch;

  constructor(url: string, watch: Watch) {
    this.url = url;
    this.#watch = watch;
  }

  get base(): string {
    return `${this.url}/api/durably`;
  }

  trigger(body: TriggerBody): Promise<Answer> {
    return this.#ask('POST', `${this.base}/trigger`, JSON.stringify(body));
  }

  /** Triggers a run and expects success. */
  async triggered(body: TriggerBody): Promise<string> {
    const answer = await this.trigger(body);
    return z.object({ runId: z.string() }).parse(parsed(answer)).runId;
  }

  command(command: 'cancel' | 'retry' | 'delete', runId: string): Promise<Answer> {
    return command === 'delete'
      ? this.#ask('DELETE', `${this.base}/run?runId=${runId}`)
      : this.#ask('POST', `${this.base}/${command}?runId=${runId}`);
  }

  signal(runId: string, body: SignalBody): Promise<Answer> {
    return this.#ask('POST', `${this.base}/signal?runId=${runId}`, JSON.stringify(body));
  }

  async run(runId: string): Promise<RunView> {
    return runSchema.parse(parsed(await this.#ask('GET', `${this.base}/run?runId=${runId}`)));
  }

  async runs(query = ''): Promise<RunView[]> {
    return z.array(runSchema).parse(parsed(await this.listed(query)));
  }

  listed(query: string): Promise<Answer> {
    return this.#ask('GET', `${this.base}/runs?${query}`);
  }

  async steps(runId: string): Promise<unknown> {
    return parsed(await this.#ask('GET', `${this.base}/steps?runId=${runId}`));
  }

  ready(): Promise<Answer> {
    return this.#ask('GET', `${this.url}/readyz`);
  }

  /** @throws TypeError when nobody answers. */
  async #ask(method: string, url: string, body?: string): Promise<Answer> {
    const response = await fetch(url, {
      method,
      signal: AbortSignal.timeout(30_000),
      ...(body === undefined ? {} : { body }),
    });
    const answer = { status: response.status, text: await response.text(), headers: response.headers };
    this.#watch({ ...answer, request: `${method} ${url}` });
    return answer;
  }
}

function parsed({ status, text }: Answer): unknown {
  if (status !== 200) throw new Error(`answered ${status}: ${text}`);
  return JSON.parse(text);
}
