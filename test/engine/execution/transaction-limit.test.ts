import { expect, test } from 'vitest';
import { transactionLimitMs } from '../../../src/engine/execution/steps/step-transactions.ts';

test('a transaction ends before libsql-server ends it, and two of them before a lease is stale', () => {
  expect(transactionLimitMs({ heartbeatIntervalMs: 5_000, staleThresholdMs: 30_000 })).toBe(4_000);
  expect(transactionLimitMs({ heartbeatIntervalMs: 200, staleThresholdMs: 1_700 })).toBe(500);
});
