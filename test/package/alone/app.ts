// A project whose only dependency is the packed package: no Kysely, no zod, no types of Node.
import { createDurably, ValidationError } from 'durably';
import { DatabaseOpenError, openDatabase } from 'durably/sqlite';

const database = await openDatabase({ url: ':memory:' });
const durably = createDurably({ dialect: database.dialect, pollingInterval: 1000 });
await durably.init();
const runs = await durably.getRuns({ status: 'pending' });
if (runs.length !== 0) throw new Error('an empty database holds runs');
await durably.stop();
await database.close();

const refusal = await openDatabase({ url: 'file:missing#part' }).catch((error: unknown) => error);
if (!(refusal instanceof DatabaseOpenError)) throw new Error('a fragment was taken');

// @ts-expect-error
const unnamed = await openDatabase({ path: 'local.db' }).catch((error: unknown) => error);
if (!(unnamed instanceof ValidationError)) throw new Error('a database without a URL was opened');
