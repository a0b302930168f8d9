/** The door `durably/testing`: jobs in tests, in memory, with a clock that the test moves. */
export type { StepOfJob } from './testing/step-doubles.ts';
export {
  createTestDurably,
  type TestDurably,
  type TestOptions,
} from './testing/test-durably.ts';
