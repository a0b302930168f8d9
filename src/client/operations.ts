/** Where the members of an operation's input go. */
export type Travel =
  | 'query'
  | 'body'
  /** These go into the query, the others into the body. */
  | { readonly query: readonly string[] };

/** An operation of the service, as the client sends it. */
export interface ClientOperation {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** The path below the service's base path. */
  readonly path: `/${string}`;
  readonly input: Travel;
  /**
   * Whether a request is sent again after a broken connection or a 503. A read is. So is a trigger, because it has an
   * idempotency key. Any other command is not: it may have been done.
   */
  readonly again: 'always' | 'never';
  /** How long the service may take to begin its answer. Default: 30 s. */
  readonly answersIn?: 'as long as it takes';
}

const read = (path: ClientOperation['path']) =>
  ({ method: 'GET', path, input: 'query', again: 'always' }) as const satisfies ClientOperation;

const command = (path: ClientOperation['path'], input: Travel = 'query') =>
  ({ method: 'POST', path, input, again: 'never' }) as const satisfies ClientOperation;

const removal = (path: ClientOperation['path']) =>
  ({ ...command(path), method: 'DELETE' }) as const satisfies ClientOperation;

/**
 * Every operation of the service, under the name of the client's method. A test compares it with the service's own
 * table and with openapi.yaml.
 */
export const operations = {
  trigger: { ...command('/trigger', 'body'), again: 'always' },
  batchTrigger: { ...command('/trigger/batch', 'body'), again: 'always' },
  retrigger: command('/retrigger'),
  fork: command('/fork', { query: ['runId', 'from'] }),

  getRun: read('/run'),
  getRuns: read('/runs'),
  getSteps: read('/steps'),
  getLogs: read('/logs'),
  runEvents: read('/subscribe'),
  events: read('/runs/subscribe'),

  retry: command('/retry'),
  cancel: command('/cancel'),
  deleteRun: removal('/run'),
  signal: command('/signal', { query: ['runId'] }),
  reschedule: command('/reschedule', { query: ['runId'] }),
  cancelRuns: command('/runs/cancel', 'body'),
  retryRuns: command('/runs/retry', 'body'),
  deleteRuns: command('/runs/delete', 'body'),

  getJobs: read('/jobs'),
  getStats: read('/stats'),
  getWorkers: read('/workers'),
  getOverview: read('/overview'),
  pauseJob: command('/pause'),
  resumeJob: command('/resume'),

  getSchedules: read('/schedules'),
  schedule: { ...command('/schedule', { query: ['id'] }), method: 'PUT' },
  deleteSchedule: removal('/schedule'),
  pauseSchedule: command('/schedule/pause'),
  resumeSchedule: command('/schedule/resume'),
  fireSchedule: command('/schedule/fire'),

  processUntilIdle: { ...command('/tick'), answersIn: 'as long as it takes' },
  createStreamTicket: command('/stream-ticket'),
} as const satisfies Readonly<Record<string, ClientOperation>>;

/** The name of an operation, which is also that of the client's method. */
export type ClientOperationName = keyof typeof operations;
