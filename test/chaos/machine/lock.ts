import Database from 'libsql';

/** Holds a database's write lock from another process. Call the returned function to release it. */
export function holdWriteLock(path: string): () => void {
  const database = new Database(path, { timeout: 10_000 } as Database.Options);
  database.exec('begin immediate');
  return () => {
    database.exec('rollback');
    database.close();
  };
}

/** Whether nobody holds a database's write lock at the moment. */
export function isWriteLockFree(path: string): boolean {
  const database = new Database(path, { timeout: 0 } as Database.Options);
  try {
    database.exec('begin immediate');
    database.exec('rollback');
    return true;
  } catch {
    return false;
  } finally {
    database.close();
  }
}
