/**
 * npm run dev: the service, started again on each change. It hands its runs
 * back at once when it is to end, so that the next one goes on with them; what
 * watches it kills it with SIGKILL when it is slow, or when a second change
 * comes meanwhile.
 */
import { runService } from '../src/entry/node/run.ts';

await runService({ firstSignal: 'hands back' });
