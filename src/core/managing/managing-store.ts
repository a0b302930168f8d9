import type { BulkChanges, BulkCommand } from './run-bulk.ts';

/** The part of the {@link Store} by which many runs are managed. */
export interface ManagingStore {
  /** Executes a command for many runs in one statement. A deletion leaves rows over for `Store.deletePortion`. */
  commandAll(command: BulkCommand): Promise<BulkChanges>;
}
