/** The door `durably/testing`: jobs in tests, in memory, with a clock that the test moves. */
export {
  createTestDurably,
  type StepOfJob,
  type TestDurably,
  type TestOptions,
} from './testing/test-durably.ts';
