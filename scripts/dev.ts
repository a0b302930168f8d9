/**
 * npm run dev: the service, started again on each change. It hands its runs back
 * at once when it is to end, so that the next one goes on with them. Node's watcher
 * waits for it to end, however often a signal is repeated; other watchers kill it
 * at the second signal, and Ctrl-C below npm sends two.
 */
import { runService } from '../src/entry/node/run.ts';

await runService({ firstSignal: 'hands back' });
