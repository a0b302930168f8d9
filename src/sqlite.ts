/** The door `durably/sqlite`: a database of this machine, as fast as the service has it. */
export {
  type Database,
  DatabaseOpenError,
  type OpenDatabaseOptions,
  openDatabase,
} from './storage/sqlite/file/open-database.ts';
