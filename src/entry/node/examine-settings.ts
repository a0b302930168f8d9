import { describeUnknownNodeSettings, readConfig } from '../../app/config.ts';
import { errorMessage } from '../../core/errors/error-text.ts';
import { examineDatabase } from './examine-database.ts';
import { type Finding, fine, odd, wrong } from './finding.ts';
import { checkAddress } from './server.ts';
import { codesOf, explainFailedStart } from './start-failure.ts';
import { readWebhooks } from './webhooks.ts';

const ANSWER_WITHIN_MS = 3_000;

/** Looks whether the service could start with these variables: settings, database and port. */
export async function examineSettings(env: Readonly<Record<string, string | undefined>>): Promise<Finding[]> {
  const unknown = describeUnknownNodeSettings(env);
  const findings: Finding[] = unknown === undefined ? [] : [odd(`settings: ${unknown}`)];
  try {
    const config = readConfig(env);
    readWebhooks(config);
    return [...findings, ...(await examineDatabase(config)), await examinePort(config)];
  } catch (error) {
    return [...findings, wrong(`settings: ${errorMessage(error)}`)];
  }
}

async function examinePort(config: ReturnType<typeof readConfig>): Promise<Finding> {
  const { HOST, PORT } = config;
  try {
    await checkAddress(config);
    return fine(`port ${PORT} of ${HOST} is free`);
  } catch (error) {
    if (codesOf(error).includes('EADDRINUSE') && (await isDurably(`http://${HOST}:${PORT}/healthz`))) {
      return fine(`a durably service listens on port ${PORT} of ${HOST}`);
    }
    return wrong(errorMessage(explainFailedStart(error, config)));
  }
}

async function isDurably(address: string): Promise<boolean> {
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    return response.ok && response.headers.has('x-request-id');
  } catch {
    return false;
  }
}
