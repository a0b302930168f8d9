/** A target: a figure of durably, or its ratio to another figure of the same round. */
export interface Target {
  readonly workload: string;
  readonly title: string;
  readonly figure: Figure;
  readonly over?: Figure;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Figure {
  readonly contender: string;
  readonly metric: string;
}

const DOCUMENTED = 'durably';
const SERVICE = 'durably-service';
const both = [DOCUMENTED, SERVICE] as const;

/**
 * Makes one target per variant. Of two limits, the first is for the documented variant and the second for the
 * service default.
 */
function each(
  title: string,
  workload: string,
  limits: readonly [number, number] | number,
  { metric, over, is }: { metric: string; over?: string | Figure; is: 'atLeast' | 'atMost' },
): Target[] {
  return both.map((contender, i) => {
    const limit = typeof limits === 'number' ? limits : (limits[i] as number);
    const target = { workload, title, figure: { contender, metric }, [is]: limit };
    if (over === undefined) return target;
    return {
      ...target,
      over:
        typeof over === 'string'
          ? { contender: over, metric }
          : { ...over, contender: over.contender || contender },
    };
  });
}

/** Another figure of the same contender. */
const own = (metric: string): Figure => ({ contender: '', metric });

export const targets: readonly Target[] = [
  ...each('statements for a trigger', 'statements', 1, { metric: 'trigger', is: 'atMost' }),
  ...each('statements for a run of 5 steps', 'statements', 7, { metric: 'run', is: 'atMost' }),
  ...each('enqueue, one caller ÷ floor', 'enqueue', [0.35, 0.5], {
    metric: 'rate',
    over: 'floor',
    is: 'atLeast',
  }),
  ...each('enqueue, 32 callers ÷ floor', 'enqueue-32', [2.2, 2.6], {
    metric: 'rate',
    over: 'floor',
    is: 'atLeast',
  }),
  ...each('batchTrigger of 100 ÷ floor', 'batch', [3.3, 4], { metric: 'rate', over: 'floor', is: 'atLeast' }),
  ...each('drain without steps ÷ floor', 'drain', [1.5, 2.5], {
    metric: 'rate',
    over: 'floor',
    is: 'atLeast',
  }),
  ...each('drain without steps ÷ peer', 'drain', [15, 25], { metric: 'rate', over: 'coji', is: 'atLeast' }),
  ...each('drain of 5 steps ÷ floor', 'drain-5', [1.4, 2], { metric: 'rate', over: 'floor', is: 'atLeast' }),
  ...each('drain of 5 steps ÷ peer', 'drain-5', [10, 15], { metric: 'rate', over: 'coji', is: 'atLeast' }),
  ...each('a run with a backlog ÷ without', 'backlog', 1.1, {
    metric: 'long',
    over: own('short'),
    is: 'atMost',
  }),
  ...each('trigger to completed, p50 ms', 'latency', 5, { metric: 'p50', is: 'atMost' }),
  ...each('trigger to completed ÷ floor', 'latency', 3.5, { metric: 'p50', over: 'floor', is: 'atMost' }),
  ...each('POST /trigger ÷ bare, worker off', 'http-trigger', 0.5, {
    metric: 'off',
    over: 'bare',
    is: 'atLeast',
  }),
  ...each('POST /trigger ÷ bare, worker on', 'http-trigger', 0.4, {
    metric: 'on',
    over: 'bare',
    is: 'atLeast',
  }),
  ...each('GET /runs ÷ bare, 10,000 runs', 'http-runs', 0.2, {
    metric: 'small',
    over: 'bare',
    is: 'atLeast',
  }),
  ...each('GET /runs ÷ bare, 1,000,000 runs', 'http-runs', 0.2, {
    metric: 'large',
    over: 'bare',
    is: 'atLeast',
  }),
  ...each('GET /runs, 1,000,000 ÷ 10,000 runs', 'http-runs', 0.8, {
    metric: 'large',
    over: own('small'),
    is: 'atLeast',
  }),
  ...[
    ['jobs', 'GET /jobs'],
    ['stats', 'GET /stats'],
    ['page', 'GET /runs?cursor'],
  ].flatMap(([metric, title]) =>
    each(`${title}, 1,000,000 ÷ 10,000 runs`, 'operator-reads', 1.2, {
      metric: `${metric} large`,
      over: own(`${metric} small`),
      is: 'atMost',
    }),
  ),
  ...each('peak of large lists and streams, many ÷ few', 'large-values', 1.5, {
    metric: 'peak many',
    over: own('peak few'),
    is: 'atMost',
  }),
  ...each('trigger, full ÷ empty table', 'full-table', 1.1, {
    metric: 'trigger full',
    over: own('trigger empty'),
    is: 'atMost',
  }),
  ...each('claim and finish, full ÷ empty table', 'full-table', 1.1, {
    metric: 'run full',
    over: own('run empty'),
    is: 'atMost',
  }),
  ...each('trigger to completed, 1,000,000 waiting runs ÷ none', 'waiting-table', 1.1, {
    metric: 'many',
    over: own('none'),
    is: 'atMost',
  }),
  ...each('sleepers due at once ÷ drain of pending runs', 'sleepers', 0.6, {
    metric: 'woken',
    over: own('drained'),
    is: 'atLeast',
  }),
  ...each('step, sleep of 0, step ÷ two steps', 'sleep-between', 0.5, {
    metric: 'sleep',
    over: own('steps'),
    is: 'atLeast',
  }),
  ...each('signal to completed ÷ trigger to completed', 'signalled', 1.3, {
    metric: 'signal',
    over: own('trigger'),
    is: 'atMost',
  }),
  ...each('a claim, all limits full ÷ no limits', 'full-limits', 1.3, {
    metric: 'full',
    over: own('none'),
    is: 'atMost',
  }),
  ...each('drain with a limit by key ÷ without', 'keyed-drain', 0.7, {
    metric: 'keyed',
    over: own('free'),
    is: 'atLeast',
  }),
  ...each('a trigger beside a purge, p99 ÷ without', 'purge', 2, {
    metric: 'beside',
    over: own('alone'),
    is: 'atMost',
  }),
  ...each('events to every subscriber, share', 'subscribers', 1, { metric: 'delivered', is: 'atLeast' }),
  ...each('delivery p95 ÷ peer', 'subscribers', 0.25, { metric: 'p95', over: 'coji', is: 'atMost' }),
  ...each('triggers meanwhile ÷ peer', 'subscribers', 20, {
    metric: 'triggers',
    over: 'coji',
    is: 'atLeast',
  }),
  ...each('an idle subscriber, KB', 'idle-streams', 100, { metric: 'each', is: 'atMost' }),
  ...each('remote ÷ peer', 'remote', 5, { metric: 'rate', over: 'coji', is: 'atLeast' }),
  ...[10, 50].map((slots) => ({
    workload: 'remote-load',
    title: `a busy server, ${slots} at once ÷ loop`,
    figure: { contender: SERVICE, metric: `rate ${slots}` },
    over: { contender: 'loop', metric: `rate ${slots}` },
    atLeast: slots === 10 ? 0.6 : 0.5,
  })),
  {
    workload: 'remote-load',
    title: 'requests per run, ten at once',
    figure: { contender: SERVICE, metric: 'requests 10' },
    atMost: 1.2,
  },
  {
    workload: 'remote-answers',
    title: 'GET /run of 1 MB ÷ bare client',
    figure: { contender: SERVICE, metric: 'get 1 MB' },
    over: { contender: SERVICE, metric: 'read 1 MB' },
    atMost: 1.5,
  },
  ...each('memory after 100,000 runs, MB', 'memory', 200, { metric: 'late', is: 'atMost' }),
  ...each('memory after 100,000 ÷ 10,000 runs', 'memory', 1.1, {
    metric: 'late',
    over: own('early'),
    is: 'atMost',
  }),
];
