import { runService } from './node/run.ts';

/** The service on Node. `npm start` and the container image run it. */
await runService({ firstSignal: 'drains' });
