import { type Database, isLocal, openDatabase, openError } from '../storage/sqlite/file/open-database.ts';
import { openRemote } from '../storage/sqlite/remote/open-remote.ts';

export { type Database, DatabaseOpenError, isBusy } from '../storage/sqlite/file/open-database.ts';

export interface DatabaseOptions {
  /** `file:…`, `:memory:`, or the address of a libSQL server. */
  readonly url: string;
  readonly authToken?: string | undefined;
}

/**
 * Opens the service's database. A file is opened as `durably/sqlite` opens it. Sends nothing to a server yet.
 *
 * @throws {DatabaseOpenError}
 */
export async function openServiceDatabase({ url, authToken }: DatabaseOptions): Promise<Database> {
  if (isLocal(url)) return await openDatabase({ url });
  try {
    return openRemote({ url, authToken });
  } catch (error) {
    throw openError(url, error);
  }
}
