import { backlog, drainEmpty, drainSteps } from './drain.ts';
import { batch, enqueueMany, enqueueOne } from './enqueue.ts';
import { signalled } from './flow/signalled.ts';
import { sleepBetween } from './flow/sleep-between.ts';
import { sleepers } from './flow/sleepers.ts';
import { waitingTable } from './flow/waiting-table.ts';
import { fullTable } from './full-table.ts';
import { operatorReads } from './http/operator-reads.ts';
import { httpRuns } from './http/runs.ts';
import { idleStreams, subscribers } from './http/streams.ts';
import { httpTrigger } from './http/trigger.ts';
import { largeValues } from './large-values.ts';
import { latency } from './latency.ts';
import { fullLimits } from './limits/full-limits.ts';
import { keyedDrain } from './limits/keyed-drain.ts';
import { purge } from './managing/purge.ts';
import { memory } from './memory.ts';
import { remote } from './remote.ts';
import { remoteAnswers } from './remote-answers.ts';
import { remoteLoad } from './remote-load.ts';
import { statements } from './statements.ts';
import type { Workload } from './workload.ts';

export const workloads: readonly Workload[] = [
  statements,
  enqueueOne,
  enqueueMany,
  batch,
  drainEmpty,
  drainSteps,
  backlog,
  latency,
  httpTrigger,
  httpRuns,
  operatorReads,
  largeValues,
  fullTable,
  waitingTable,
  fullLimits,
  keyedDrain,
  purge,
  sleepers,
  sleepBetween,
  signalled,
  subscribers,
  idleStreams,
  remote,
  remoteLoad,
  remoteAnswers,
  memory,
];
