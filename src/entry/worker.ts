import { createEdgeJobs } from '../jobs/edge.ts';
import { createEdgeService } from './edge/service.ts';

/** The service on Cloudflare Workers. wrangler.toml names this file. */
export default createEdgeService(({ config, fetch, fetchLoopback }) =>
  createEdgeJobs({ fetchOrigins: config.DURABLY_FETCH_ORIGINS, fetch, fetchLoopback }),
);
