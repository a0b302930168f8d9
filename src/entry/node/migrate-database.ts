import { createAccess } from '../../app/access.ts';
import { readConfig } from '../../app/config.ts';
import { openServiceDatabase } from '../../app/database.ts';
import { reachServer } from './ask-database.ts';
import { createInstance } from './instance.ts';
import { migrate } from './start.ts';
import { explainFailedStart } from './start-failure.ts';

/** Brings the schema of the service's database up to date, without starting the service. */
export async function migrateDatabase(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const config = readConfig(env);
  const { TURSO_DATABASE_URL: url, TURSO_AUTH_TOKEN: authToken } = config;
  try {
    const database = await openServiceDatabase({ url, authToken });
    const durably = createInstance(config, database, { access: await createAccess(config) });
    try {
      await reachServer(durably.db, config);
      await migrate(durably);
    } finally {
      await durably.db.destroy();
      await database.close();
    }
  } catch (error) {
    throw explainFailedStart(error, config);
  }
}
