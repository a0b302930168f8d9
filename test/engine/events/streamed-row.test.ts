import { expect, test } from 'vitest';
import type { ListedJournalRow } from '../../../src/core/store.ts';
import { StreamedRow } from '../../../src/engine/events/streamed-row.ts';

const ROW: ListedJournalRow = {
  sequence: 1,
  runId: 'run_1',
  jobName: 'job',
  type: 'log:write',
  createdAt: 0,
  attempt: null,
  stepName: null,
  stepIndex: null,
  level: 'info',
  message: null,
  data: null,
  durationMs: null,
  labels: null,
  dataBytes: 0,
  isDataLeft: false,
  isLeftOver: false,
};

test('counts each text of a streamed row at two bytes per character', () => {
  const bytes = new StreamedRow(ROW).bytes;
  const text = 'x'.repeat(1000);
  for (const name of ['stepName', 'message', 'labels'] as const) {
    expect(new StreamedRow({ ...ROW, [name]: text }).bytes - bytes).toBe(2000);
  }
  expect(new StreamedRow({ ...ROW, data: text, dataBytes: 1000 }).bytes - bytes).toBe(2000);
});
