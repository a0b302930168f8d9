/** The door `durably/metrics`: what an instance does, for Prometheus. */

export {
  createMetrics,
  type Metrics,
  type WatchedInstance,
} from './plugins/metrics/metrics.ts';
