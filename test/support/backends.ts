import { sqliteBackends } from '../storage/sqlite/support/backends.ts';
import type { Backend } from './backend.ts';

/**
 * The suites of the Store and of durably run over each backend. A backend's own tests are in
 * `test/storage/`.
 */
export const backends: readonly Backend[] = [...sqliteBackends];
