import { runService } from './node/run.ts';

/** The service on Node; `npm start` and the image run it. */
await runService({ firstSignal: 'drains' });
