import { expect } from 'vitest';
import { postJson, requestTo, type Send } from '../doors.ts';
import { framesOf } from './frames.ts';

/** A service for one test, on an empty database, with the suite's jobs. */
export interface StartedService {
  readonly send: Send;
  /** Lets the job `wait` continue. */
  readonly openGate: () => void;
}

/** Starts a service for one test, and returns what the test does with it. */
export type Start = () => Promise<StartedService & ReturnType<typeof client>>;

/** Short forms of the requests that the tests send. */
export function client(send: Send) {
  const get = (path: string, init?: RequestInit) => send(requestTo(path, init));
  const trigger = async (jobName: string, more: object = {}): Promise<string> => {
    const response = await send(postJson('/trigger', { jobName, ...more }));
    const body = await response.json();
    expect(response.status, JSON.stringify(body)).toBe(200);
    expect(Object.keys(body)).toEqual(['runId', 'disposition']);
    return body.runId;
  };
  /** Triggers a run and waits for its end on its stream. */
  const runToEnd = async (jobName: string, more: object = {}) => {
    const runId = await trigger(jobName, more);
    return { runId, frames: await framesOf(await get(`/subscribe?runId=${runId}`)) };
  };
  const readRun = async (runId: string) => (await get(`/run?runId=${runId}`)).json();
  const command = (method: string, path: string, runId: string) =>
    send(requestTo(`${path}?runId=${runId}`, { method }));
  return { send, get, trigger, runToEnd, readRun, command };
}
