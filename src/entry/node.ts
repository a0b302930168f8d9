import { endOnEarlySignals } from './node/early-signals.ts';

/** The service on Node. `npm start` and the container image run it. */
const onHandled = endOnEarlySignals();
const { runService } = await import('./node/run.ts');
await runService({ firstSignal: 'drains', onHandled });
