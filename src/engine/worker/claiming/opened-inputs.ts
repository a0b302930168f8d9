import type { ClaimedRun } from '../../../core/ownership/claim.ts';
import { type Codec, openIfReadable } from '../../plugins/codec.ts';

/** The runs with their inputs decoded. The execution of one whose input can't be decoded fails. */
export async function withOpenedInputs(runs: readonly ClaimedRun[], codec: Codec): Promise<ClaimedRun[]> {
  return await Promise.all(
    runs.map(async (run) => ({ ...run, payload: await openIfReadable(codec, run.payload) })),
  );
}
