import type { JournalEvent, Run, Schedule, Step } from './types.ts';

/** Interim: what the page needs of durably/client, until that is merged. */
export class ServiceError extends Error {
  readonly status: number;
  readonly code: string;
  readonly issues: readonly { readonly path: readonly (string | number)[]; readonly message: string }[];
  constructor(status: number, problem: any) {
    super(problem?.detail ?? `The service answered ${status}`);
    this.status = status;
    this.code = problem?.code ?? 'INTERNAL';
    this.issues = problem?.issues ?? [];
  }
}

type Query = Record<string, unknown>;

export function createClient(options: { url: string; apiKey: string | undefined; fetch: typeof fetch }) {
  const headers = (): Record<string, string> =>
    options.apiKey ? { authorization: `Bearer ${options.apiKey}` } : {};
  const addressOf = (path: string, query: Query) => {
    const params = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value === undefined) continue;
      if (name === 'labels')
        for (const [k, v] of Object.entries(value as object)) params.append(`label.${k}`, String(v));
      else for (const one of [value].flat()) params.append(name, String(one));
    }
    return `${options.url}${path}?${params}`;
  };
  async function send(method: string, path: string, query: Query = {}, body?: unknown, signal?: AbortSignal) {
    const response = await options.fetch(addressOf(path, query), {
      method,
      headers: headers(),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
    if (!response.ok) throw new ServiceError(response.status, await response.json().catch(() => undefined));
    return response;
  }
  const json = async (...args: Parameters<typeof send>): Promise<any> => await (await send(...args)).json();

  async function* stream(
    path: string,
    query: Query,
    after: number | undefined,
    signal: AbortSignal,
    endsItself: boolean,
  ) {
    let last = after;
    for (;;) {
      try {
        const response = await send('GET', path, { ...query, lastEventId: last }, undefined, signal);
        if (response.status === 204 || response.body === null) return;
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        let rest = '';
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          const frames = (rest + value).split('\n\n');
          rest = frames.pop() ?? '';
          for (const frame of frames) {
            for (const line of frame.split('\n')) {
              if (line.startsWith('id: ')) last = Number(line.slice(4));
              if (line.startsWith('data: ')) {
                const event = JSON.parse(line.slice(6)) as JournalEvent;
                yield event;
              }
            }
          }
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ServiceError && error.status < 500 && error.status !== 429) throw error;
      }
      if (signal.aborted) return;
      void endsItself;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }

  return {
    getRunsPage: async (filter: Query, signal?: AbortSignal) => {
      const response = await send('GET', '/runs', filter, undefined, signal);
      const next = /[?&]cursor=([^&>]+)/.exec(response.headers.get('link') ?? '')?.[1];
      return {
        runs: (await response.json()) as Run[],
        nextCursor: next === undefined ? null : decodeURIComponent(next),
      };
    },
    getRun: (runId: string): Promise<Run> => json('GET', '/run', { runId }),
    getSteps: (runId: string): Promise<Step[]> => json('GET', '/steps', { runId }),
    getJobs: (query: Query = {}): Promise<any[]> => json('GET', '/jobs', query),
    getSchedules: (): Promise<Schedule[]> => json('GET', '/schedules'),
    trigger: (body: object): Promise<{ runId: string; disposition: string }> =>
      json('POST', '/trigger', {}, body),
    retrigger: (runId: string) => json('POST', '/retrigger', { runId }),
    fork: (runId: string, from: string, input?: unknown) =>
      json('POST', '/fork', { runId, from }, input === undefined ? {} : { input }),
    retry: (runId: string) => json('POST', '/retry', { runId }),
    cancel: (runId: string) => json('POST', '/cancel', { runId }),
    deleteRun: (runId: string) => json('DELETE', '/run', { runId }),
    signal: (runId: string, body: object) => json('POST', '/signal', { runId }, body),
    reschedule: (runId: string, body: object) => json('POST', '/reschedule', { runId }, body),
    pauseJob: (jobName: string) => json('POST', '/pause', { jobName }),
    resumeJob: (jobName: string) => json('POST', '/resume', { jobName }),
    pauseSchedule: (id: string) => json('POST', '/schedule/pause', { id }),
    resumeSchedule: (id: string) => json('POST', '/schedule/resume', { id }),
    fireSchedule: (id: string) => json('POST', '/schedule/fire', { id }),
    deleteSchedule: (id: string) => json('DELETE', '/schedule', { id }),
    runEvents: (runId: string, after: number | undefined, signal: AbortSignal) =>
      stream('/subscribe', { runId }, after, signal, true),
    allEvents: (filter: Query, after: number | undefined, signal: AbortSignal) =>
      stream('/runs/subscribe', filter, after, signal, false),
    stats: (query: Query): Promise<any> => json('GET', '/stats', query),
    workers: (): Promise<any> => json('GET', '/workers'),
  };
}
