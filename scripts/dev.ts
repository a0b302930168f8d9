/**
 * npm run dev: runs the service and restarts it on each change. The service hands its runs back at once when it
 * ends, so that the next one continues them. Node's watcher waits for the service to end, however often a
 * signal is repeated. Other watchers kill it at the second signal, and Ctrl-C under npm sends two.
 */
import { runService } from '../src/entry/node/run.ts';

await runService({ firstSignal: 'hands back' });
