import { expect, it } from 'vitest';
import { parseMetrics } from '../../plugins/prometheus-text.ts';
import { eventually } from '../../support/processes/spawn-service.ts';
import { API, startService } from './started-service.ts';

const KEY = 'a-key-for-prometheus';

it('the service serves its metrics, behind a key, unless they are off', async () => {
  const service = await startService({ DURABLY_API_KEYS: `prometheus:${KEY}` });
  const headers = { authorization: `Bearer ${KEY}` };
  const body = JSON.stringify({ jobName: 'import-csv', input: { file: 'no-such-file.csv' } });
  expect((await fetch(`${service.url}${API}/trigger`, { method: 'POST', headers, body })).status).toBe(200);
  expect((await fetch(`${service.url}/metrics`)).status).toBe(401);
  await eventually(async () => {
    const families = parseMetrics(await (await fetch(`${service.url}/metrics`, { headers })).text());
    const failed = 'durably_runs_total job=import-csv status=failed';
    expect(families.get('durably_runs_total')?.samples.get(failed)).toBe(1);
    expect(families.get('durably_slots')?.samples.get('durably_slots')).toBe(10);
    expect(families.has('nodejs_eventloop_lag_p99_seconds')).toBe(true);
  });
  const without = await startService({ DURABLY_METRICS: 'off' });
  expect((await fetch(`${without.url}/metrics`)).status).toBe(404);
});
