import { z } from 'zod';
import { createEdgeService, type EdgeService } from '../../src/entry/edge/service.ts';
import { defineJob } from '../../src/index.ts';
import { createSuiteJobs } from '../http/jobs.ts';
import { waitingJobs } from './waiting-jobs.ts';

/** A job whose steps each send a request to the test. */
const told = defineJob({
  name: 'told',
  input: z.object({ url: z.url(), steps: z.int() }),
  run: async (step, { url, steps }) => {
    for (let i = 0; i < steps; i++) {
      await step.run(`step ${i}`, async () => await (await fetch(`${url}/step-${i}`)).text());
    }
    return steps;
  },
});

/** The Worker with the tests' jobs. A request may set settings and a gate of its own. */
const worker: EdgeService = {
  fetch(request, env, context) {
    const settings = z
      .record(z.string(), z.string())
      .parse(JSON.parse(request.headers.get('x-settings') ?? '{}'));
    const gateUrl = request.headers.get('x-gate') ?? '';
    const service = createEdgeService(() => ({
      told,
      ...waitingJobs,
      ...createSuiteJobs(() => fetch(gateUrl)),
    }));
    return service.fetch(request, { ...env, ...settings }, context);
  },
  scheduled: (event, env, context) =>
    createEdgeService(() => ({ told, ...waitingJobs })).scheduled(event, env, context),
};

export default worker;
